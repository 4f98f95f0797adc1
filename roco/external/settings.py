"""The attacks of `roco evaluate`: from a configuration, or the protocol below."""

from pathlib import Path

from pydantic import ValidationError

from roco.attacks.settings import ChecksConfig, CurveConfig, RobustnessConfig
from roco.attacks.white_box.autoattack import AutoAttack
from roco.attacks.white_box.deepfool import DeepFool
from roco.attacks.white_box.pgd import PGD
from roco.config.messages import one_line
from roco.config.reading import read_yaml
from roco.errors import ConfigError
from roco.settings.levels import WRITTEN

# AutoAttack at 8/255 as in RobustBench; 1/255 because there networks without adversarial training differ.
PROTOCOL = RobustnessConfig(
    attacks={
        "pgd_1": PGD(method="pgd", eps=1.0, alpha=0.25, steps=40),
        "autoattack_1": AutoAttack(method="autoattack", eps=1.0),
        "autoattack_8": AutoAttack(method="autoattack", eps=8.0),
    },
    curve=CurveConfig(),
    smallest_perturbations={"deepfool": DeepFool(method="deepfool")},
    checks=ChecksConfig(),
)


def attacks_of(path: str | Path | None, *, images: int | None = None) -> RobustnessConfig:
    """The attacks in the section `robustness` of a configuration; the protocol without a configuration.

    Args:
        path: of the YAML file.
        images: how many images to attack; if not given, as many as the configuration says.

    Raises:
        ConfigError: the file is missing, is no YAML, or a setting is not valid.
    """
    if path is None:
        config = PROTOCOL
    else:
        raw = read_yaml(path).get("robustness")
        if not isinstance(raw, dict):
            raise ConfigError(f"{path}: expected a section robustness with the attacks")
        try:
            config = RobustnessConfig.model_validate(raw, context=WRITTEN)
        except ValidationError as error:
            raise ConfigError(f"{path}: robustness.{one_line(error, RobustnessConfig)}") from None
    if images is None:
        return config
    all_see_them = config.fewer is None or config.fewer.images >= images
    return config.model_copy(update={"images": images, "fewer": None if all_see_them else config.fewer})


def black_box(config: RobustnessConfig) -> RobustnessConfig:
    """The attacks that work without gradients; of AutoAttack only Square is left.

    Raises:
        ConfigError: there are none.
    """
    kept = {name: part for name, attack in config.attacks.items() if (part := attack.without_gradients())}
    # Square alone must not be called AutoAttack.
    names = {name: _name_of(name, config) for name in kept}
    attacks = {names[name]: attack for name, attack in kept.items()}
    if not attacks:
        raise ConfigError("the network has no gradients, and none of the attacks works without; add square or noise")
    fewer = config.fewer
    if fewer is not None:
        fewer = fewer.model_copy(update={"attacks": [names[name] for name in fewer.attacks if name in names]})
    left_out = {"attacks": attacks, "curve": None, "smallest_perturbations": {}, "checks": None, "fewer": fewer}
    return config.model_copy(update=left_out)


def _name_of(name: str, config: RobustnessConfig) -> str:
    if not isinstance(config.attacks[name], AutoAttack):
        return name
    square = name.replace("autoattack", "square")
    return f"square_{name}" if square in config.attacks else square
