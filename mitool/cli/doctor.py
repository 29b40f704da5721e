"""``mitool doctor``: what of the machine works, and what to do about the rest."""

from typing import TYPE_CHECKING

from mitool.cli.command import command

if TYPE_CHECKING:
    from mitool.cli.output import Output
    from mitool.core.result import Claim

PACKAGES = (
    "torch",
    "transformer-lens",
    "safetensors",
    "plotly",
    "kaleido",
    "typer",
    "rich",
    "tensorboard",
)


@command("doctor")
def doctor(output: "Output") -> None:
    """Check versions, devices, threads and the browser that draws images.

    Each device computes small products, norms, updates and a step of a toy transformer, which are
    held against the CPU: `agreement.DEVICE` is ok, or what is wrong.
    """
    import platform
    import tempfile
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    from mitool.actions.doctor import faults
    from mitool.core import device as devices
    from mitool.core.errors import RunError, first_few
    from mitool.core.result import Result
    from mitool.core.version import __version__
    from mitool.report import Figure, find_browser, write_images
    from mitool.report.figures import new_plot

    claims: dict[str, Claim] = {"mitool": __version__, "python": platform.python_version()}
    warnings = []
    for package in PACKAGES:
        try:
            claims[package] = version(package)
        except PackageNotFoundError:
            claims[package] = None
            warnings.append(f"{package} is not installed: pip install {package}")
    for name in devices.available():
        claims[f"device.{name}"] = devices.device_label(name)
        wrong = faults(name)
        claims[f"agreement.{name}"] = first_few(wrong, "; ") or "ok"
        if wrong:
            warnings.append(
                f"device {name} computes otherwise than the CPU: {'; '.join(wrong)}. Use --device "
                f"cpu, or another version of torch than {claims['torch']}"
            )
    default = devices.resolve()
    claims["default_device"] = default.name
    claims["threads"] = default.threads
    claims["free_memory_gib"] = default.free_memory() / devices.GIB
    browser = find_browser()
    claims["browser"] = str(browser) if browser else None
    output.note("drawing an image")
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_images([Figure("test", "Test", "", new_plot("x", "y"))], Path(folder))
        claims["images"] = True
    except RunError as error:
        claims["images"] = False
        warnings.append(str(error))
    output.finish(Result({"machine": platform.platform()}, {}, claims, warnings=tuple(warnings)))
