"""System calls of Linux for which Python has no function; can be imported on Linux only.

Numbers, flags and structures are those of the kernel's user-space API. The numbers used here are the same on all
architectures except alpha.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    Buffer: TypeAlias = ctypes.Array[ctypes.c_char]

PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
_MNT_DETACH, _UMOUNT_NOFOLLOW = 2, 8

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def structure(form: str, *values: int) -> Buffer:
    """Lay out values as a structure for the kernel; `form` is a format of the module `struct`."""
    packed = struct.pack(form, *values)
    return ctypes.create_string_buffer(packed, len(packed))


def syscall(what: str, number: int, *arguments: int | str | Buffer | None) -> int:
    """Make a system call.

    Args:
        what: The call's name, for error messages.
        number: The call's number.
        arguments: Integers, paths, structures (their address is passed) or None for a null pointer.

    Raises:
        OSError: The call failed.
    """
    return _checked(_libc.syscall(ctypes.c_long(number), *map(_word, arguments)), what)


def _word(argument: int | str | Buffer | None) -> ctypes.c_long | ctypes.c_char_p | Buffer | None:
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return ctypes.c_char_p(os.fsencode(argument)) if isinstance(argument, str) else argument


def prctl(option: int, value: int | bytes) -> None:
    """Change an attribute of the calling process or thread.

    Raises:
        OSError: The kernel refuses.
    """
    word = ctypes.c_ulong(value) if isinstance(value, int) else ctypes.c_char_p(value)
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(ctypes.c_int(option), word, zero, zero, zero), "prctl")


def unshare(flags: int) -> None:
    """Move the calling thread into new namespaces.

    Raises:
        OSError: The kernel refuses, for lack of privileges or because of a policy.
    """
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(namespace: int, kind: int) -> None:
    """Move the calling thread into a namespace, which is given by a descriptor.

    Raises:
        OSError: The kernel refuses.
    """
    _checked(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(kind)), "setns")


def change_mount(target: str, flags: int) -> None:
    """Change the flags of an existing mount.

    Raises:
        OSError: The kernel refuses.
    """
    _checked(_libc.mount(None, _word(target), None, ctypes.c_ulong(flags), None), f"mount {target}")


def detach_mount(target: str) -> None:
    """Unmount a path, even if it is still in use.

    Raises:
        OSError: Nothing is mounted at the path (EINVAL), or the path doesn't exist (ENOENT).
    """
    flags = _MNT_DETACH | _UMOUNT_NOFOLLOW
    _checked(_libc.umount2(_word(target), ctypes.c_int(flags)), f"umount {target}")
