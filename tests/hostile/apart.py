"""Runs what may crash, hang or eat memory in a process of its own."""

import faulthandler
import multiprocessing
import resource
import traceback

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(  # what the processes would take most of their time to import
    ["PIL.Image", "brinery.engine.convert", "brinery.engine.protocols.hickles", "h5py", "hickle", "pytest"]
)


def run_apart(function, *arguments, within=180):
    """Return what a function returns in another process; its first argument is a shared number to count."""
    step = _CONTEXT.Value("q", -1)
    receiver, sender = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_child, args=(sender, function, step, arguments, within))
    process.start()
    sender.close()
    try:
        result, problem = receiver.recv()
    except EOFError:
        result, problem = None, "it died without a word"
    process.join(10)
    where = f"{function.__name__}{arguments} at step {step.value}"
    assert problem is None, f"{where}:\n{problem}"
    assert process.exitcode == 0, f"{where}: exit code {process.exitcode}"
    return result


def peak():
    """Bytes of memory that this process held at its peak."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _child(sender, function, step, arguments, within):
    faulthandler.enable()
    faulthandler.dump_traceback_later(within, exit=True)
    try:
        sender.send((function(step, *arguments), None))
    except BaseException:  # noqa: BLE001 - told to the parent
        sender.send((None, traceback.format_exc()))
