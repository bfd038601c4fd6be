"""Vectors of request-path, "Authentication" and "Authentication: cases", with the tokens as the page prints them."""

import asyncio
from dataclasses import replace

import pytest

from tollway.identity.authenticator import Authenticator, AuthenticatorRules
from tollway.identity.bearer import read_bearer
from tollway.identity.caller import Caller, Refusal, Role
from tollway.identity.email_domains import is_blocked, read_domains
from tollway.identity.store import KeyRow, MembershipRow, UserRow
from tollway.identity.tokens import Claims, TokenRules, read_token

SECRET = b"test-secret-at-least-32-characters-long"
NOW = 1_771_718_400
ORGANIZATION = "6f1d9a52-8a0e-4f0c-9a1e-2b3c4d5e6f70"

_HEAD = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
_START = "eyJraWxvVXNlcklkIjoidXNlci0xIiwiYXBpVG9rZW5QZXBwZXIiOiJwMSIsInZlcnNpb24iOj"
_PAYLOAD = _START + "MsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxOTI0OTA1NjAwfQ"
J1 = f"{_HEAD}{_PAYLOAD}.Y5CRMObopEuomUsSXW6XcrKaMuthiv1QtEJnarQ3qkM"
J2 = (
    f"{_HEAD}{_START}IsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxOTI0OTA1NjAwfQ"
    ".ZXbhxONz0GBh7v-PhWE6K0FlysB4khfRz_fQIKEH_rg"
)
J3 = (
    f"{_HEAD}{_START}MsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxNzcxNzE4NDAwfQ"
    ".rY1m_1Ig8LexndmQLjdXcIP1ny91w2BZFNhidQMd-aw"
)
J4 = (
    f"{_HEAD}{_START}MsImlhdCI6MTc3MTcxODQ2MSwiZXhwIjoxOTI0OTA1NjAwfQ"
    ".0fR-K9NubYVk1pjGggNlhZTrgqwaWIr62aP71Wx_8oQ"
)
J5 = f"{_HEAD}{_START}MsImlhdCI6MTc2NzIyNTYwMH0.7QsH_u9GZhyLH3jg7r07HwMvOOrzhMszFcnb85ZduQw"
J6 = (
    f"{_HEAD}eyJraWxvVXNlcklkIjoidXNlci0xIiwidmVyc2lvbiI6MywiaWF0IjoxNzY3MjI1NjAwLCJleHAiOjE5MjQ5MDU2MDB9"
    ".QyW3TzkjsS9yx6Ba0RTHGg768apBNqvHWrZ4vqKOPHo"
)
J7 = f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{_PAYLOAD}."
J8 = (
    f"{_HEAD}{_START}IzIiwiaWF0IjoxNzY3MjI1NjAwLCJleHAiOjE5MjQ5MDU2MDB9"
    ".PLACEHOLDER"
)
J9 = (
    f"{_HEAD}{_START}MsImlhdCI6MTc2NzIyNTYwMCwiZXhwIjoxOTI0OTA1NjAxfQ"
    ".BZqGrYNNrGZjcA6MVpSJXLTEChXtVHGSW8dg9FyE4Wo"
)
