"""Why the service ends by itself."""

from __future__ import annotations

__all__ = ["AccountStoppedError", "ConsumerFailedError", "ServiceError", "StateLostError"]


class ServiceError(Exception):
    """The service cannot go on. The message says why, and what to do."""


class ConsumerFailedError(ServiceError):
    """A role fails again and again at the same place. To go on would be to skip something, in silence."""

    def __init__(self, name: str, *, attempts: int) -> None:
        super().__init__(
            f"{name}: the same step has failed {attempts} times (the log has the reason). Nothing is lost: "
            "the step is done again at the next start"
        )


class StateLostError(ServiceError):
    """What a role holds in memory is not what is stored: a fault of ours. A start reads it afresh."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: its state in memory is lost (the log has the reason). Start again: the store has it")


class AccountStoppedError(ServiceError):
    """An account does not run: the server refuses it, or the service ends."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the account {name} has stopped: {reason}")
