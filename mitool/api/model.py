"""A model to look into: trained here, converted, planted or pretrained."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mitool.api.asking import computed_on, console_if, listed, pairs_if, path_if
from mitool.api.finding import Analysis
from mitool.api.keywords import own_keywords, required_seed, settled, takes
from mitool.api.opened import Opened
from mitool.core.errors import UsageError
from mitool.settings import AttentionSettings, CircuitSettings, FourierSettings, PatchSettings

if TYPE_CHECKING:
    from mitool.analysis.attention import AttentionResult
    from mitool.analysis.circuits import CircuitResult
    from mitool.analysis.fourier import FourierResult
    from mitool.analysis.patching import PatchResult
    from mitool.pairs.files import PairTexts

CHECKPOINTS = ("last", "all")


class Model(Opened):
    """A transformer, and what it can be asked."""

    @takes(FourierSettings)
    def fourier(
        self,
        settings: FourierSettings | None = None,
        *,
        checkpoints: Literal["last", "all"] = "last",
        threads: int | None = None,
        progress: bool = True,
        **values: Any,
    ) -> "Analysis[FourierResult]":
        """Find the trig identities behind modular arithmetic, test them, and write the formula.

        Args:
            settings: all of them in one object; keywords change single ones.
            checkpoints: all: follow the progress measures through the run's checkpoints too.
            threads: of the CPU; left out, all cores.
            progress: show how far it is.

        Raises:
            InputError: the model is of another task.
            UsageError: its task is no addition in any coordinate.
            RunError: memory does not suffice.
        """
        from mitool.actions import analyses
        from mitool.core.device import exact
        from mitool.report import fourier_report

        started = time.monotonic()
        chosen = settled(FourierSettings, settings, values, own_keywords(Model.fourier))
        if checkpoints not in CHECKPOINTS:
            raise UsageError(
                f"checkpoints: expected one of {', '.join(CHECKPOINTS)}, found {checkpoints!r}"
            )
        subject, device = self._trained, exact(threads)
        trajectory = self.checkpoints if checkpoints == "all" else ()
        result = analyses.fourier(subject, chosen, trajectory, device, console_if(progress))
        followed = None if checkpoints == "last" else checkpoints
        again = self._called(
            "fourier", settings, checkpoints=followed, **computed_on(threads=threads), **values
        )
        folder = subject.output_folder("fourier")
        return Analysis(result, folder, again, fourier_report, "analyze fourier", started)

    @takes(AttentionSettings)
    def attention(
        self,
        settings: AttentionSettings | None = None,
        *,
        pairs: str | Path | None = None,
        prompts: str | Sequence[str] = (),
        seed: int = 0,
        threads: int | None = None,
        progress: bool = True,
        **values: Any,
    ) -> "Analysis[AttentionResult]":
        """Show where every head looks and what it writes, with a verdict and its evidence.

        Args:
            settings: all of them in one object; keywords change single ones.
            pairs: a file of clean and corrupted texts, of which the clean ones are read.
            prompts: texts to look at instead; of a task, the labels of tokens.
            seed: of what is drawn.
            threads: of the CPU; left out, all cores.
            progress: show how far it is.

        Raises:
            InputError: the file of pairs cannot be used.
            UsageError: a text has tokens that the model does not know, or too many.
        """
        from mitool.actions import analyses
        from mitool.core.device import host
        from mitool.report import attention_report

        started = time.monotonic()
        chosen = settled(AttentionSettings, settings, values, own_keywords(Model.attention))
        texts, seed = listed("prompts", prompts), required_seed("seed", seed)
        result = analyses.attention(
            self.subject,
            chosen,
            host(threads),
            console_if(progress),
            pairs=path_if(pairs),
            texts=texts,
            seed=seed,
        )
        asked = {"pairs": pairs, "prompts": texts, "seed": seed or None}
        again = self._called(
            "attention", settings, **asked, **computed_on(threads=threads), **values
        )
        folder = self.subject.output_folder("attn")
        return Analysis(result, folder, again, attention_report, "analyze attn", started)

    @takes(PatchSettings)
    def patch(
        self,
        settings: PatchSettings | None = None,
        *,
        pairs: "str | Path | Sequence[PairTexts] | None" = None,
        task: str | None = None,
        sites: str | Sequence[str] = (),
        paths: str | Sequence[str] = (),
        edges: str | Sequence[str] = (),
        seed: int = 0,
        device: str = "auto",
        dtype: str = "float32",
        threads: int | None = None,
        progress: bool = True,
        **values: Any,
    ) -> "Analysis[PatchResult]":
        """Put activations of one run into another, and measure what that does to the answer.

        Args:
            settings: all of them in one object; keywords change single ones.
            pairs: a file of clean and corrupted texts, or such pairs; left out, the task's own.
            task: make pairs for a pretrained model: greater-than or ioi.
            sites: families to sweep, with wildcards; left out, all, or none where there are
                paths or edges.
            paths: such as ``L0H1->L1H2<q>``, with wildcards, each patched alone.
            edges: likewise, each patched alone, and then all at once.
            seed: of what is drawn.
            device: auto, cpu, cuda, cuda:INDEX or mps.
            dtype: float32 or float64.
            threads: of the CPU; left out, all cores.
            progress: show how far it is.

        Raises:
            InputError: the pairs cannot be used, or the model is no decoder that can be taken
                apart.
            UsageError: a site, path or edge is none of the model's, or settings contradict each
                other.
        """
        from mitool.actions import analyses
        from mitool.analysis.patching import Wanted
        from mitool.core.device import resolve
        from mitool.report import patching_report

        started = time.monotonic()
        chosen = settled(PatchSettings, settings, values, own_keywords(Model.patch))
        wanted = Wanted(listed("sites", sites), listed("paths", paths), listed("edges", edges))
        given = pairs_if(pairs)
        seed = required_seed("seed", seed)
        result = analyses.patching(
            self.subject,
            chosen,
            wanted,
            analyses.Inputs(given, task, seed),
            resolve(device, dtype, threads),
            console_if(progress),
        )
        asked = {"pairs": pairs, "task": task, **vars(wanted), "seed": seed or None}
        asked |= computed_on(device, dtype, threads)
        again = self._called("patch", settings, **asked, **values)
        folder = self.subject.output_folder("patch")
        return Analysis(result, folder, again, patching_report, "patch", started)

    @takes(CircuitSettings)
    def circuit(
        self,
        settings: CircuitSettings | None = None,
        *,
        pairs: "str | Path | Sequence[PairTexts] | None" = None,
        task: str | None = None,
        circuit: str | Path | None = None,
        scores: str | Path | None = None,
        truth: str | Path | None = None,
        seed: int = 0,
        device: str = "auto",
        dtype: str = "float32",
        threads: int | None = None,
        progress: bool = True,
        **values: Any,
    ) -> "Analysis[CircuitResult]":
        """Find the circuit that carries an answer, test it, and draw it.

        Args:
            settings: all of them in one object; keywords change single ones.
            pairs: a file of clean and corrupted texts, or such pairs; left out, the task's own.
            task: make pairs for a pretrained model: greater-than or ioi.
            circuit: a file with a circuit to test, instead of looking for one.
            scores: a file with scores to choose by, instead of scoring again.
            truth: a file with a circuit to compare with what is found.
            seed: of what is drawn.
            device: auto, cpu, cuda, cuda:INDEX or mps.
            dtype: float32 or float64.
            threads: of the CPU; left out, all cores.
            progress: show how far it is.

        Raises:
            InputError: the pairs or a file cannot be used, or the model is no decoder that can be
                taken apart.
            UsageError: settings contradict each other.
        """
        from mitool.actions import analyses
        from mitool.analysis.circuits import CircuitFiles
        from mitool.core.device import resolve
        from mitool.report import circuit_report

        started = time.monotonic()
        chosen = settled(CircuitSettings, settings, values, own_keywords(Model.circuit))
        files = CircuitFiles(path_if(circuit), path_if(scores), path_if(truth))
        given = pairs_if(pairs)
        seed = required_seed("seed", seed)
        result = analyses.circuit(
            self.subject,
            chosen,
            files,
            analyses.Inputs(given, task, seed),
            resolve(device, dtype, threads),
            console_if(progress),
        )
        asked = {"pairs": pairs, "task": task, **vars(files), "seed": seed or None}
        asked |= computed_on(device, dtype, threads)
        again = self._called("circuit", settings, **asked, **values)
        folder = self.subject.output_folder("circuit")
        return Analysis(result, folder, again, circuit_report, "analyze circuit", started)
