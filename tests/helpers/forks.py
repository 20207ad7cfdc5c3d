"""Work in a process of its own, whose limits are its own, too."""

import os
import traceback
import warnings


def in_child(function):
    """Number of a forked process that runs a function."""
    with warnings.catch_warnings():
        # Of threads that wait for work, and hold no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            function()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def ended(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
