"""A request that the centre does not do. It is an answer on the wire, not trouble of this machine."""

from __future__ import annotations


class Refusal(Exception):
    """`code` and HTTP `status` of the answer; `detail` holds no secret."""

    def __init__(self, code: str, status: int = 400, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.detail = detail
