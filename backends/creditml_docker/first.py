"""The script of a container's first process, which starts the step's command and ends the container.

The command must not be the first process itself: in a container, the kernel does not deliver signals to the first
process for which it has no handler, so for example `kill -9 $$` in the command would do nothing. The script is for a
shell, since that is the only program that all images that can run commands have.
"""

from __future__ import annotations

SHELLS = ("bash", "sh")
"""The shells that can run commands, the best first; Azure ML's images have bash."""

SCRIPT = """
exec >>"$2" 2>&1
umask "$3"
if [ "${HOME:-/}" = / ] || { mkdir -p "$HOME"; [ ! -w "$HOME" ]; } 2>/dev/null; then
    HOME=/tmp/home; export HOME
    mkdir -p "$HOME" 2>/dev/null || HOME=/tmp
fi
asked=
ask() { trap '' TERM; asked=1; kill -TERM -1; kill -CONT -1; }
trap ask TERM
(trap - INT QUIT TERM; exec "$0" -c "$1") &
child=$!
exec 2>/dev/null
while :; do
    wait "$child"; code=$?
    [ -n "$asked" ] && kill -0 "$child" || break
done
if [ -n "$asked" ]; then
    while kill -0 -1; do sleep 0.05 || break; done
fi
exit "$code"
"""
"""Arguments: the shell, the command, the log, and the mask of file modes.

On SIGTERM, to which it reacts only once, the script sends SIGTERM to all other processes, continues stopped ones, and
ends when the last of them has ended. Otherwise it ends when the command ends. The kernel kills processes that are left
when a container's first process ends. The shell reaps orphans too, so there are no zombies. Its own messages about
signals don't go to the log.
"""
