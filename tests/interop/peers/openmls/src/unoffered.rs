//! What OpenMLS 0.9.2 does not offer, and where its source shows that.

use crate::answers::Failure;

pub fn call(rpc: &str) -> Failure {
    let why = match rpc {
        "ReInitProposal" => {
            "OpenMLS 0.9.2 cannot propose a ReInit: group/mls_group/proposal.rs has no way to make one, and the fields \
             of ReInitProposal (messages/proposals.rs:562) are private"
        }
        "ReInitCommit" => {
            "OpenMLS 0.9.2 does not commit to a ReInit: ProposalQueue::filter_proposals drops it \
             (group/mls_group/proposal_store.rs:608)"
        }
        "HandlePendingReInitCommit" | "HandleReInitCommit" | "ReInitWelcome" | "HandleReInitWelcome" => {
            "OpenMLS 0.9.2 has no reinitialization: no successor group can be made or joined, since a resumption PSK \
             of another group is never looked up (schedule/psk.rs:603, group/mls_group/creation.rs:696)"
        }
        "CreateBranch" => {
            "OpenMLS 0.9.2 cannot branch: a Commit takes no resumption PSK with usage branch (schedule/psk.rs:377), \
             and nothing sets the PSKs that a new group starts with (group/mls_group/builder.rs:36)"
        }
        "HandleBranch" => {
            "OpenMLS 0.9.2 cannot join a branch: it looks for the resumption PSK in the joiner's new, empty store only \
             (group/mls_group/creation.rs:696, schedule/psk.rs:603)"
        }
        _ => return Failure::unimplemented(format!("there is no call {rpc:?}")),
    };
    Failure::unimplemented(why)
}

pub fn external_proposal(kind: &str) -> Failure {
    Failure::unimplemented(format!(
        "an external sender of OpenMLS 0.9.2 makes no {kind} proposal: ExternalProposal \
         (messages/external_proposals.rs:33) has new_add, new_remove and new_group_context_extensions"
    ))
}

pub fn removing_prior() -> Failure {
    Failure::unimplemented(
        "an external Commit of OpenMLS 0.9.2 removes the joiner's prior leaf only if it has the joiner's signature key \
         (group/mls_group/commit_builder/external_commits.rs:261), and this program holds no state with that key",
    )
}
