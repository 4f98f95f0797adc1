"""What a network is: enough to build it, to count what it costs and to describe it in a file. No torch at import."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, SerializeAsAny, TypeAdapter, model_validator

from roco.networks.targets import ARCHITECTURES, Architecture
from roco.space.complexity import Complexity, NodeKind, complexity
from roco.space.genome import Genome, Phenotype
from roco.storage.records import Frozen

if TYPE_CHECKING:
    from torch import nn


class DecoderSettings(Frozen):
    """How a study decodes its genomes; see `GenomeNetwork` for the fields."""

    channels: int | tuple[int, ...]
    stem_padding: int
    node: NodeKind = "residual"

    def spec(self, genome: Genome | str, *, classes: int, image_size: int) -> "GenomeSpec":
        """The network of a genome, for images of so many classes and of `image_size` x `image_size` pixels."""
        return GenomeSpec(genome=str(genome), classes=classes, image_size=image_size, **dict(self))


class GenomeSpec(DecoderSettings):
    """The network that a genome decodes to.

    Attributes:
        image_size: height and width in pixels; FLOPs depend on it, the weights do not.
    """

    family: Literal["genome"] = "genome"
    genome: str
    classes: int
    image_size: int

    @cached_property
    def phenotype(self) -> Phenotype:
        """The active phases; raises GenomeError for a malformed genome."""
        return Genome.parse(self.genome).phenotype

    @property
    def name(self) -> str:
        """The name in logs: the key of its phenotype."""
        return self.phenotype.key

    @property
    def cost(self) -> Complexity:
        """Parameters and FLOPs."""
        return complexity(
            self.phenotype,
            channels=self.channels,
            classes=self.classes,
            stem_padding=self.stem_padding,
            image_size=self.image_size,
            node=self.node,
        )

    @property
    def likeness(self) -> tuple[object, ...]:
        """Equal for networks that a GPU can train as one stack."""
        return (len(self.phenotype.phases), self.channels, self.classes, self.stem_padding, self.node)

    def build(self, *, mean: Sequence[float], std: Sequence[float]) -> "nn.Module":
        """A fresh module that normalises images by `mean` and `std`; weights come from torch's global generator."""
        from roco.networks.decoder import GenomeNetwork

        return GenomeNetwork(
            self.phenotype,
            channels=self.channels,
            classes=self.classes,
            stem_padding=self.stem_padding,
            mean=mean,
            std=std,
            node=self.node,
        )


class TargetSpec(Frozen):
    """A network of a published architecture, for which adversarial images are made."""

    family: Literal["target"] = "target"
    name: str
    architecture: SerializeAsAny[Architecture]
    classes: int
    image_size: int

    @model_validator(mode="before")
    @classmethod
    def _architecture_has_the_name(cls, given: Any) -> Any:
        """Reads the settings by the name: several architectures have the same settings."""
        settings = given.get("architecture") if isinstance(given, Mapping) else None
        if not isinstance(settings, Mapping):
            return given
        if given.get("name") not in ARCHITECTURES:
            raise ValueError(f"name: expected {', '.join(ARCHITECTURES)}, got {given.get('name')!r:.60}")
        return {**given, "architecture": ARCHITECTURES[given["name"]].model_validate(settings)}

    @property
    def likeness(self) -> None:
        """Targets are trained alone."""

    def build(self, *, mean: Sequence[float], std: Sequence[float]) -> "nn.Module":
        """A fresh module that normalises images by `mean` and `std`; weights come from torch's global generator."""
        return self.architecture.build(classes=self.classes, image_size=self.image_size, mean=mean, std=std)


NetworkSpec = Annotated[GenomeSpec | TargetSpec, Field(discriminator="family")]
_SPEC: TypeAdapter[GenomeSpec | TargetSpec] = TypeAdapter(NetworkSpec)


class NetworkDescription(Frozen):
    """What a weights file says about its network.

    Attributes:
        dataset: the name of the data set that it was trained on; empty if unknown.
        class_names: in the order of the logits.
    """

    optional = frozenset({"dataset", "dataset_fingerprint", "class_names"})

    spec: NetworkSpec
    dataset: str = ""
    dataset_fingerprint: str = ""
    class_names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, plain: Mapping[str, object]) -> Self:
        """The description from a file, which has the fields of the spec beside the other fields."""
        return cls.model_validate({**plain, "spec": _SPEC.validate_python(plain)})

    def plain(self) -> dict[str, object]:
        """What `parse` reads."""
        content = self.model_dump()
        return {**content.pop("spec"), **content}
