"""What the Python functions return: records of a question, shown by a notebook as a page is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnbench.cli.session import indexed
from nnbench.errors import UserError
from nnbench.machine import whole_file
from nnbench.phases import COLD, EPOCH, STEP
from nnbench.report import answer, charts, page, tables
from nnbench.report.run_analysis import Group, RunAnalysis, analyse
from nnbench.show import html
from nnbench.show.figures import save_figure
from nnbench.show.plain import plain
from nnbench.show.svg import Chart, draw
from nnbench.show.table import Table
from nnbench.store.runs import Run
from nnbench.workload.networks import listed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Picture:
    """A chart: shown in a notebook, and a Matplotlib `figure` to go on with."""

    title: str
    chart: Chart

    @property
    def figure(self) -> "Figure":
        """The figure."""
        return self.chart.figure

    def save(self, path: Path | str) -> Path:
        """Write it as SVG or PNG, by the file's ending; UserError where that cannot be."""
        path = Path(path)
        if path.suffix == ".svg":
            return whole_file.write(path, draw(self.chart, "chart").file)
        if path.suffix != ".png":
            raise UserError(f"{path} names no kind of chart: end it with .svg or .png")
        save_figure(self.figure, path)
        return path

    def __repr__(self) -> str:
        return f"<nnbench chart: {self.chart.alt}>"

    def _repr_html_(self) -> str:
        return html.cell(charts=[(self.title, self.chart)])


@dataclass(frozen=True)
class Plots:
    """The charts of a run; `where` is one of its `contexts`, by default the fastest."""

    found: RunAnalysis

    @property
    def contexts(self) -> list[str]:
        """Backends, devices and paths, such as `jax, cpu, fit`."""
        return [group.first.context for group in self.found.groups]

    def cold(self, where: str | None = None) -> Picture:
        """Whole trainings from nothing, fastest on top."""
        return self._bars(COLD, "Whole training", where)

    def epoch(self, where: str | None = None) -> Picture:
        """Steady epochs."""
        return self._bars(EPOCH, "One epoch", where)

    def step(self, where: str | None = None) -> Picture:
        """Steady steps."""
        return self._bars(STEP, "One step", where)

    def parts(self, where: str | None = None, *, as_shares: bool = False) -> Picture:
        """Where a whole training goes: its phases stacked, with the rest."""
        group = self._group(where)
        chart = charts.parts(group, group.summaries, self._numbers, as_shares=as_shares)
        unknown = answer.without_shares(group, group.summaries) if as_shares else []
        if chart is None and unknown:
            raise UserError(page.NO_SHARES.format(networks=listed(unknown, " and ")))
        return self._picture("Where the time goes", group, chart)

    def ratios(self, where: str | None = None) -> Picture:
        """Every network compared with the first: whole training and step, with intervals."""
        group = self._group(where)
        title = f"Compared with {group.name(group.first)}"
        return self._picture(title, group, charts.ratios(group, self._numbers))

    def growth(
        self, by: str = "parameters", phase: str = STEP, where: str | None = None
    ) -> Picture:
        """A phase against `parameters` or `depth`."""
        if by not in ("parameters", "depth"):
            raise UserError(f"by '{by}' is not known: parameters or depth")
        group = self._group(where)
        chart = charts.growth(group, self._numbers, phase, by)
        return self._picture(f"{phase} against {by}", group, chart)

    def samples(self, phase: str = COLD, where: str | None = None) -> Picture:
        """Every block in the order of measurement; crosses are noisy ones."""
        group, found = self._group(where), self.found
        chart = charts.samples(group, found.values, found.noisy, self._numbers, phase)
        return self._picture(f"{phase}, block by block", group, chart)

    @property
    def _numbers(self) -> dict[str, int]:
        return page.numbers_of(self.found)

    def _group(self, where: str | None) -> Group:
        if not self.found.groups:
            raise UserError(answer.NOTHING)
        if where is None:
            return answer.fastest_group(self.found.groups)
        for group in self.found.groups:
            if group.first.context == where:
                return group
        raise UserError(
            f"where '{where}' was nothing measured: there is {'; '.join(self.contexts)}"
        )

    def _bars(self, phase: str, title: str, where: str | None) -> Picture:
        group = self._group(where)
        return self._picture(
            title, group, charts.card(group, phase, group.summaries, self._numbers)
        )

    def _picture(self, title: str, group: Group, chart: Chart | None) -> Picture:
        if chart is None:
            raise UserError(f"there is nothing to draw: {title} was not measured, or of one only")
        several = len(self.found.groups) > 1
        return Picture(f"{title} ({group.first.context})" if several else title, chart)


@dataclass(frozen=True, repr=False)
class RunResult:
    """A run and what it says; `analysis` is the record that its report shows."""

    analysis: RunAnalysis

    @classmethod
    def of(cls, run: Run) -> "RunResult":
        """What a run says."""
        return cls(analyse(run))

    @property
    def folder(self) -> Path:
        """Where it is saved."""
        return self.analysis.run.folder

    @property
    def finding(self) -> str:
        """The whole in a line."""
        return self.analysis.finding

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer in at most three sentences, then what else is told."""
        return (*self.analysis.answer, *self.analysis.sentences)

    @property
    def trust(self) -> str:
        """How far the figures are to be trusted, and why."""
        return f"{self.analysis.trust.level} ({self.analysis.trust.why})"

    @property
    def plot(self) -> Plots:
        """Its charts: `run.plot.cold()`, `run.plot.ratios()`."""
        return Plots(self.analysis)

    def to_pandas(self) -> "pd.DataFrame":
        """A row for each network, place and phase: seconds, their interval, ratios to the first."""
        import pandas as pd

        columns, *rows = tables.as_rows(self.analysis)
        frame = pd.DataFrame(rows, columns=[str(name) for name in columns])
        numbers = ["ratio", "ratio_low", "ratio_high"]
        frame[numbers] = frame[numbers].apply(pd.to_numeric, errors="coerce")
        return frame

    def samples(self) -> "pd.DataFrame":
        """A row for each duration that was measured, in seconds."""
        return self.analysis.run.samples()

    def to_dict(self) -> dict[str, Any]:
        """What `nnbench report --json` prints."""
        told: dict[str, Any] = plain(tables.as_json(self.analysis, None))
        return told

    def report(self) -> Path:
        """Write its page, and return that. Raises UserError if it cannot be written."""
        return indexed(page.write(self.analysis))

    def __repr__(self) -> str:
        return f"<nnbench run {self.folder}: {self.finding}>"

    def _repr_html_(self) -> str:
        found = self.analysis
        return html.cell(
            title=found.finding,
            sentences=found.answer,
            charts=[
                (title, chart)
                for _, title, chart, _ in page.card(found)
                if isinstance(chart, Chart)
            ],
            names=page.legend(found),
            trust=found.trust,
            tables=[tables.cases(group) for group in found.groups],
        )


@dataclass(frozen=True, repr=False)
class Answer:
    """The answer to another question than a run's, as its command has it.

    `found` is the record (or records) that was computed, `rows` its figures as plain data.
    """

    asked: str
    finding: str
    sentences: tuple[str, ...]
    found: Any
    rows: list[dict[str, Any]]
    tables: tuple[Table, ...] = ()
    charts: tuple[Picture, ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    page: Path | None = None

    def to_pandas(self) -> "pd.DataFrame":
        """Its figures as a table."""
        import pandas as pd

        return pd.json_normalize(self.rows)

    def report(self) -> Path:
        """Its page. Raises UserError where the question has none."""
        if self.page is None:
            raise UserError(f"{self.asked} writes no page: to_pandas has its figures")
        return self.page

    def __repr__(self) -> str:
        return f"<nnbench {self.asked}: {self.finding}>"

    def _repr_html_(self) -> str:
        return html.cell(
            title=self.finding,
            sentences=[one for one in self.sentences if one != self.finding],
            charts=[(one.title, one.chart) for one in self.charts],
            tables=self.tables,
            codes=self.codes,
            notes=self.notes,
        )


@dataclass(frozen=True, repr=False)
class Training:
    """A training that was watched: its losses and verdict, and the Keras `model` it ended with."""

    found: Any
    finding: str
    sentences: tuple[str, ...] = ()

    @property
    def model(self) -> Any:
        """The trained Keras model, of this process."""
        return self.found.model

    @property
    def losses(self) -> Sequence[float]:
        """The loss of each epoch."""
        losses: Sequence[float] = self.found.session.losses
        return losses

    @property
    def folder(self) -> Path:
        """Where weights, history and model are saved."""
        folder: Path = self.found.folder
        return folder

    def to_pandas(self) -> "pd.DataFrame":
        """What Keras logged, a row an epoch."""
        import pandas as pd

        frame = pd.DataFrame({"loss": list(self.losses)})
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="epoch")
        for name, values in self.found.history.items():
            if len(values) == len(frame):
                frame[name] = values
        return frame

    def __repr__(self) -> str:
        return f"<nnbench training: {self.finding}>"

    def _repr_html_(self) -> str:
        image = self.found.chart.read_bytes()
        return html.cell(title=self.finding, sentences=self.sentences, image=image)


def figures_of(record: Any) -> list[dict[str, Any]]:
    """Records as plain rows."""
    found: list[dict[str, Any]] = plain(record if isinstance(record, list) else [record])
    return found


def chart_of(figure: "Figure", alt: str) -> Chart:
    """A figure that was drawn for paper."""
    return Chart(figure, alt, on_paper=True)
