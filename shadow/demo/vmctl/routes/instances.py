"""Instances: made, listed, read, changed and deleted."""

import hashlib
import json
import unicodedata
from typing import Any

from aiohttp import web

from shadow.demo.vmctl.answers import answer, nothing
from shadow.demo.vmctl.calls import Call
from shadow.demo.vmctl.checks import Invalid, checked
from shadow.demo.vmctl.creation import create_instance
from shadow.demo.vmctl.idempotency import once
from shadow.demo.vmctl.listing import page
from shadow.demo.vmctl.machines import changes, entity_fields, etag, members, view
from shadow.demo.vmctl.permissions import instance_for, require_role
from shadow.demo.vmctl.problems import Problem, Unprocessable

_ = (hashlib, json, Any, Invalid, Unprocessable)
