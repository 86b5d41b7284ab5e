"""Every rule of RFC 9420 that a receiver can check, each with its section.

A check is one `Rule`. The code asks it to hold (`require`), or says that it does not (`fail`); the error names the
rule, and the test that proves the check bears the rule's name. `tests/mls/rfc` holds this table against the
RFC's text: each MUST of its sections is a rule here, or says there why it has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn, final

from mls.errors import (
    AuthenticationError,
    ExhaustedError,
    MalformedError,
    MissingError,
    RuleError,
    ValidationError,
    WrongEpochError,
    WrongGroupError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULES", "Rule"]


@final
class Rule:
    """One rule: its name, the section that makes it one, what it says, and the error that breaking it is."""

    __slots__ = ("error", "name", "section", "text")

    name: str

    def __init__(self, section: str, text: str, error: type[RuleError] = ValidationError) -> None:
        self.section = section
        self.text = text
        self.error = error

    @property
    def reference(self) -> str:
        """Where the rule comes from, for people."""
        return f"RFC 9420, section {self.section}" if self.section[:1].isdigit() else self.section

    def require(self, holds: bool, detail: str = "") -> None:  # noqa: FBT001 - reads as a sentence
        """Raise this rule's error unless `holds`. `detail` says more where the rule's text does not say enough."""
        if not holds:
            self.fail(detail)

    def fail(self, detail: str = "", **facts: int) -> NoReturn:
        """Raise this rule's error. `facts` are what its class takes besides."""
        raise self.error(self, detail, **facts)

    def __repr__(self) -> str:
        return f"<Rule {self.name}, section {self.section}>"


EXTENSIONS_DRAFT: Final = "draft-ietf-mls-extensions, SelfRemove"

# 2: presentation language

OPTIONAL_PRESENCE_IS_0_OR_1 = Rule("2.1.1", "an optional value's presence octet is 0 or 1", MalformedError)
VECTOR_LENGTH_IS_MINIMAL = Rule("2.1.2", "a vector's length takes as few bytes as it can", MalformedError)
VECTOR_LENGTH_PREFIX_IS_VALID = Rule("2.1.2", "a vector's length does not start with the bits 11", MalformedError)

# 5: credentials

X509_KEY_IS_THE_SIGNATURE_KEY = Rule("5.3", "the end-entity certificate's public key is the leaf's signature key")
X509_CERTIFICATE_IS_WELL_FORMED = Rule("5.3", "an X.509 credential holds DER-encoded certificates", MalformedError)
CREDENTIAL_IS_VALID = Rule("5.3.1", "the authentication service accepts the credential", AuthenticationError)
CREDENTIAL_IS_A_VALID_SUCCESSOR = Rule(
    "5.3.1", "the authentication service accepts the new credential as the old one's successor", AuthenticationError
)

# 6: message framing

GROUP_ID_MATCHES = Rule("6", "the message is for this group", WrongGroupError)
EPOCH_IS_HELD = Rule("6", "the message is from an epoch that this state holds", WrongEpochError)
APPLICATION_DATA_IS_ENCRYPTED = Rule("6", "application messages travel as PrivateMessage only")
MEMBER_SENDER_IS_A_MEMBER = Rule("6.1", "a message from a member names a leaf that is not blank")
EXTERNAL_SENDER_IS_LISTED = Rule("6.1", "an external sender's index is in the external_senders extension")
EXTERNAL_SENDER_ONLY_PROPOSES = Rule("6.1", "an external sender sends proposals only")
NEW_MEMBER_COMMIT_IS_A_COMMIT = Rule("6.1", "a sender of type new_member_commit sends a Commit")
NEW_MEMBER_PROPOSAL_IS_AN_ADD = Rule("6.1", "a sender of type new_member_proposal sends an Add proposal")
MESSAGE_SIGNATURE_IS_VALID = Rule("6.1", "the signature on the message is its sender's", AuthenticationError)
CONFIRMATION_TAG_IS_VALID = Rule("6.1", "the confirmation tag confirms the new epoch", AuthenticationError)
MEMBERSHIP_TAG_IS_VALID = Rule("6.2", "the membership tag is a member's", AuthenticationError)
PRIVATE_MESSAGE_DECRYPTS = Rule("6.3.1", "the message decrypts under its sender's key", AuthenticationError)
PADDING_IS_ZERO = Rule("6.3.1", "the padding is all zeros", MalformedError)
SENDER_DATA_DECRYPTS = Rule("6.3.2", "the sender data decrypts", AuthenticationError)
SENDER_DATA_NAMES_A_MEMBER = Rule("6.3.2", "the sender data names a leaf that is not blank")

# 7: ratchet tree

UNMERGED_LEAVES_ARE_SORTED = Rule("7.1", "unmerged leaves are in increasing order, each once", MalformedError)
CAPABILITIES_OMIT_DEFAULTS = Rule("7.2", "capabilities do not list default types")
CREDENTIAL_TYPE_IS_IN_OWN_CAPABILITIES = Rule("7.2", "a leaf's capabilities list the type of its own credential")
LIFETIME_IS_BOUNDED = Rule("7.2", "a leaf's lifetime is no longer than the application's maximum")
LEAF_SIGNATURE_IS_VALID = Rule("7.3", "the signature on the leaf is by its signature key", AuthenticationError)
LEAF_SUPPORTS_REQUIRED_CAPABILITIES = Rule("7.3", "a leaf's capabilities list what the group requires")
CREDENTIAL_TYPE_IS_SUPPORTED_BY_ALL = Rule("7.3", "a leaf's credential type is supported by all members")
LEAF_SUPPORTS_CREDENTIALS_IN_USE = Rule("7.3", "a leaf's capabilities list all credential types in use")
LIFETIME_IS_CURRENT = Rule("7.3", "the current time is within the leaf's lifetime")
LEAF_EXTENSIONS_ARE_IN_OWN_CAPABILITIES = Rule("7.3", "a leaf's capabilities list the leaf's own extensions")
KEY_PACKAGE_LEAF_SOURCE = Rule("7.3", "a KeyPackage's leaf has the source key_package")
UPDATE_LEAF_SOURCE = Rule("7.3", "an Update's leaf has the source update")
COMMIT_LEAF_SOURCE = Rule("7.3", "an UpdatePath's leaf has the source commit")
UPDATE_CHANGES_ENCRYPTION_KEY = Rule("7.3", "an Update brings a new encryption key")
SIGNATURE_KEY_IS_UNIQUE = Rule("7.3", "signature keys are unique among the members")
ENCRYPTION_KEY_IS_UNIQUE = Rule("7.3", "encryption keys are unique among the members")
ENCRYPTION_KEY_IS_WELL_FORMED = Rule("7.3", "an encryption key is a public key of the suite's KEM")
PATH_SECRET_DECRYPTS = Rule("7.5", "the path secret decrypts under this member's key", AuthenticationError)
PATH_SECRET_HAS_THE_RIGHT_SIZE = Rule("7.5", "a path secret has KDF.Nh bytes")
PATH_KEYS_MATCH_SECRETS = Rule("7.5", "the path's public keys are those that its secrets give")
LEAF_PARENT_HASH_MATCHES = Rule("7.5", "the new leaf's parent hash is that of the path")
PATH_LENGTH_MATCHES = Rule("7.5", "the path has a node for each node of the filtered direct path")
PATH_CIPHERTEXTS_MATCH_RESOLUTION = Rule("7.6", "a path node has a ciphertext for each node of the resolution")
TREE_IS_PARENT_HASH_VALID = Rule("7.9.2", "each parent node is covered by exactly one valid parent hash")

# 8: key schedule

PSK_NONCE_HAS_THE_RIGHT_SIZE = Rule("8.4", "a PSK's nonce has KDF.Nh bytes")
PSK_IS_AVAILABLE = Rule("8.4", "the pre-shared key is at hand", MissingError)

EPOCH_IS_NOT_THE_LAST = Rule("8.1", "there is another epoch after this one, in 64 bits", ExhaustedError)

# 9: secret tree

MESSAGE_KEY_IS_UNUSED = Rule("9.1", "a message key is used once, and not after it was given up", ExhaustedError)
RATCHET_IS_NOT_EXHAUSTED = Rule("9.1", "a ratchet's generation fits 32 bits", ExhaustedError)

# 10: KeyPackages

INIT_KEY_IS_WELL_FORMED = Rule("10", "a KeyPackage's init key is a public key of the suite's KEM")
KEY_PACKAGE_EXTENSIONS_ARE_IN_CAPABILITIES = Rule("10", "a leaf's capabilities list its KeyPackage's extensions")
KEY_PACKAGE_VERSION_MATCHES = Rule("10.1", "a KeyPackage's protocol version is the group's")
KEY_PACKAGE_SUITE_MATCHES = Rule("10.1", "a KeyPackage's cipher suite is the group's")
KEY_PACKAGE_SIGNATURE_IS_VALID = Rule(
    "10.1", "the signature on the KeyPackage is by its leaf's signature key", AuthenticationError
)
INIT_KEY_DIFFERS_FROM_ENCRYPTION_KEY = Rule("10.1", "a KeyPackage's init key is not its leaf's encryption key")

# 11: groups

NEW_GROUP_EXTENSIONS_ARE_SUPPORTED = Rule("13.4", "the creator supports its group's extensions")
BRANCH_PARAMETERS_MATCH = Rule("11.3", "a branch keeps its group's version and cipher suite")
BRANCH_MEMBERS_ARE_A_SUBSET = Rule("11.3", "each member of a branch is a member of the group it comes from")
REINIT_PARAMETERS_MATCH = Rule("11.2", "the new group has the parameters of the ReInit proposal")
REINIT_KEEPS_MEMBERS = Rule("12.4.3.1", "all members of the old group are members of the new one")

# 12.1: proposals

PROPOSAL_EPOCH_IS_CURRENT = Rule("12.1", "a proposal is from the current epoch", WrongEpochError)
REMOVED_LEAF_IS_A_MEMBER = Rule("12.1.3", "a Remove names a leaf that is not blank")
PSK_USAGE_FITS = Rule("12.1.4", "a PreSharedKey proposal has usage reinit or branch only in those operations")
REINIT_VERSION_IS_NOT_LOWER = Rule("12.1.5", "a ReInit's version is not less than the group's")
GROUP_EXTENSIONS_ARE_SUPPORTED_BY_ALL = Rule("12.1.7", "all members support what the new extensions require")
EXTERNAL_PROPOSAL_TYPE_IS_ALLOWED = Rule("12.1.8", "an external sender may propose this type", MalformedError)

PROPOSALS_ARE_WITHIN_THE_LIMIT = Rule("12.1", "no more proposals wait for a Commit than the limit", ExhaustedError)

# 12.2: proposal lists

NO_UPDATE_BY_COMMITTER = Rule("12.2", "a Commit has no Update by its committer")
NO_REMOVE_OF_COMMITTER = Rule("12.2", "a Commit does not remove its committer")
ONE_CHANGE_PER_LEAF = Rule("12.2", "a Commit has one Update or Remove for a leaf at most")
ADDS_ARE_DISTINCT_CLIENTS = Rule("12.2", "a Commit adds each client once")
ADDED_CLIENT_IS_NOT_A_MEMBER = Rule("12.2", "a Commit adds no client that is in the group and stays")
PSKS_ARE_DISTINCT = Rule("12.2", "a Commit names each PSK once")
ONE_GROUP_CONTEXT_EXTENSIONS = Rule("12.2", "a Commit has one GroupContextExtensions at most")
REINIT_STANDS_ALONE = Rule("12.2", "a ReInit is the only proposal of its Commit")
EXTERNAL_INIT_ONLY_IN_EXTERNAL_COMMIT = Rule("12.2", "only an external Commit has an ExternalInit")
PROPOSAL_TYPE_IS_SUPPORTED_BY_ALL = Rule("12.2", "all members support each committed proposal type")
APPLICATION_RULES_HOLD = Rule("12.2", "the application's own rules allow the proposals")
ONE_EXTERNAL_INIT = Rule("12.2", "an external Commit has exactly one ExternalInit")
ONE_REMOVE_IN_EXTERNAL_COMMIT = Rule("12.2", "an external Commit has one Remove at most")
EXTERNAL_COMMIT_PROPOSAL_TYPES = Rule("12.2", "an external Commit has only the proposals that it may have")
RESYNC_REPLACES_OWN_LEAF = Rule("12.2", "an external Commit removes only an earlier leaf of its own sender")

# 12.4: commits

GROUP_IS_OPEN = Rule("12.4.2", "a group that was closed by a ReInit takes no more proposals and Commits")
PROPOSAL_IS_KNOWN = Rule("12.4", "a proposal that a Commit refers to was received in this epoch", MissingError)
PATH_IS_PRESENT_WHEN_REQUIRED = Rule("12.4", "a Commit has a path where its proposals require one")
COMMIT_EPOCH_IS_CURRENT = Rule("12.4.2", "a Commit is from the current epoch", WrongEpochError)
COMMITTER_CHANGES_ENCRYPTION_KEY = Rule("12.4.2", "a path's leaf has another encryption key than its committer had")
PATH_KEYS_ARE_NEW = Rule("12.4.2", "no public key of the path is in the tree already, or twice in the path")
EXTERNAL_INIT_IS_WELL_FORMED = Rule("8.3", "an ExternalInit's KEM output decapsulates")
OWN_COMMIT_IS_PENDING = Rule("12.4.2", "a Commit of one's own is one that is still pending", MissingError)

# 12.4.3: joining

WELCOME_IS_FOR_US = Rule("12.4.3.1", "the Welcome has an entry for one of the KeyPackages at hand", MissingError)
WELCOME_SUITE_MATCHES = Rule("12.4.3.1", "the Welcome's cipher suite is the KeyPackage's")
GROUP_SECRETS_DECRYPT = Rule("12.4.3.1", "the Welcome's secrets decrypt", AuthenticationError)
SPECIAL_PSK_STANDS_ALONE = Rule("12.4.3.1", "a PSK of usage reinit or branch is the only one of its kind")
GROUP_INFO_DECRYPTS = Rule("12.4.3.1", "the Welcome's GroupInfo decrypts", AuthenticationError)
GROUP_INFO_SUITE_MATCHES = Rule("12.4.3.1", "the GroupInfo's cipher suite is the KeyPackage's")
GROUP_INFO_SIGNER_IS_A_MEMBER = Rule("12.4.3", "the GroupInfo's signer is a leaf that is not blank")
GROUP_INFO_SIGNATURE_IS_VALID = Rule("12.4.3", "the signature on the GroupInfo is its signer's", AuthenticationError)
GROUP_ID_IS_NEW = Rule("12.4.3", "the group is not one that this client is in already")
TREE_IS_AVAILABLE = Rule("12.4.3.1", "the ratchet tree is in the GroupInfo, or given beside it", MissingError)
TREE_HASH_MATCHES = Rule("12.4.3.1", "the ratchet tree has the hash that the GroupContext states")
UNMERGED_LEAF_IS_A_DESCENDANT = Rule("12.4.3.1", "an unmerged leaf is a member below its parent node")
UNMERGED_LEAF_IS_LISTED_BETWEEN = Rule("12.4.3.1", "parent nodes between also list the unmerged leaf")
PARENT_KEY_IS_UNIQUE = Rule("12.4.3.1", "a parent node's encryption key is in no other node")
OWN_LEAF_IS_IN_THE_TREE = Rule("12.4.3.1", "the KeyPackage's leaf is in the tree")
WELCOME_PATH_SECRET_MATCHES = Rule("12.4.3.1", "the path secret gives the private keys of the tree's nodes")
JOINED_EPOCH_IS_1 = Rule("12.4.3.1", "a group made by reinit or branch is joined in epoch 1")
OLD_GROUP_IS_AVAILABLE = Rule("12.4.3.1", "the group that a reinit or branch comes from is at hand", MissingError)
WELCOME_CONTINUES_THE_OLD_GROUP = Rule("12.4.2", "a Welcome that takes a group's place carries that group's PSK")
REINIT_WAS_COMMITTED = Rule("12.4.3.1", "the old group's last Commit contains a ReInit")
EXTERNAL_COMMIT_HAS_A_PATH = Rule("12.4.3.2", "an external Commit has a path")
EXTERNAL_COMMIT_HAS_NO_REFERENCES = Rule("12.4.3.2", "an external Commit refers to no proposal but SelfRemoves")
EXTERNAL_PUB_IS_AVAILABLE = Rule("12.4.3.2", "the GroupInfo has a well-formed external_pub extension", MissingError)
TREE_LAST_NODE_IS_NOT_BLANK = Rule("12.4.3.3", "a ratchet_tree's last node is a leaf that is not blank", MalformedError)
TREE_NODES_ALTERNATE = Rule("12.4.3.3", "leaves and parent nodes alternate in a ratchet_tree", MalformedError)
TREE_IS_WITHIN_LIMITS = Rule("12.4.3.3", "the tree has no more members than the limit", MalformedError)

# 13: extensibility

EXTENSION_TYPES_ARE_UNIQUE = Rule("13.4", "a list of extensions has one of each type at most", MalformedError)
LEAF_SUPPORTS_GROUP_EXTENSIONS = Rule("13.4", "a new member's capabilities list the group's extensions")
JOINER_SUPPORTS_GROUP_EXTENSIONS = Rule("13.4", "a joiner supports each extension of the group")

# 15: application messages

GENERATION_IS_WITHIN_FORWARD_LIMIT = Rule("15.3", "a message skips no more generations than the limit", ExhaustedError)

# SelfRemove

SELF_REMOVE_IS_BY_REFERENCE = Rule(EXTENSIONS_DRAFT, "a SelfRemove is committed by reference")
SELF_REMOVE_IS_PUBLIC = Rule(EXTENSIONS_DRAFT, "a SelfRemove is sent by a member, as a PublicMessage")
SELF_REMOVE_BEATS_REMOVE = Rule(EXTENSIONS_DRAFT, "a Commit has no Remove for a leaf that removes itself")


def _named() -> Mapping[str, Rule]:
    rules = {name.lower(): value for name, value in globals().items() if isinstance(value, Rule)}
    for name, rule in rules.items():
        rule.name = name
    return rules


RULES: Final = _named()
"""All rules by name."""
