from bridge.interop import mls_client_pb2 as _mls_client_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SelfRemoveProposalRequest(_message.Message):
    __slots__ = ("state_id",)
    STATE_ID_FIELD_NUMBER: _ClassVar[int]
    state_id: int
    def __init__(self, state_id: _Optional[int] = ...) -> None: ...

class DiscardPendingCommitRequest(_message.Message):
    __slots__ = ("state_id",)
    STATE_ID_FIELD_NUMBER: _ClassVar[int]
    state_id: int
    def __init__(self, state_id: _Optional[int] = ...) -> None: ...

class DiscardPendingCommitResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
