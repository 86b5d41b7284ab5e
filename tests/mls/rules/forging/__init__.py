"""What a dishonest peer could send: wrong in one respect, and right in all others.

A message that is merely damaged is stopped by its signature. To reach a check, everything that comes before it must
be right. So these functions sign, authenticate and encrypt with the real keys of a member, as a member who cheats
would. They check nothing themselves, and no state that is passed in changes: what a member forges does not use up
its keys. In layers, from the outside in:

* `public` and `private` send what `signed` makes;
* `forged_commit` and `forged_external_commit` make a whole Commit, with a path of which each part can be altered
  (`Path`); the tree, the transcript and the confirmation tag are those that follow from the alterations;
* `resigned`, `forged_key_package` and `forged_update` make leaves;
* `changed_tree`, `with_leaf`, `forged_group_info` and `forged_welcome` make what a joiner sees.

Where a part can be altered, an argument takes a function from the honest value to the one that is sent. Where the
engine's own code does the work and would refuse it, `dishonest` silences the rules in question.
"""

from tests.mls.rules.forging.commits import ForgedCommit, Path, forged_commit, forged_external_commit
from tests.mls.rules.forging.joining import changed_tree, forged_group_info, forged_welcome, with_leaf
from tests.mls.rules.forging.leaves import forged_key_package, forged_update, resigned
from tests.mls.rules.forging.messages import Alteration, dishonest, private, public, signed, unchanged

__all__ = [
    "Alteration",
    "ForgedCommit",
    "Path",
    "changed_tree",
    "dishonest",
    "forged_commit",
    "forged_external_commit",
    "forged_group_info",
    "forged_key_package",
    "forged_update",
    "forged_welcome",
    "private",
    "public",
    "resigned",
    "signed",
    "unchanged",
    "with_leaf",
]
