"""Checks envoy/istio/trafficextension.yaml against Istio's schema. `make check-manifests` prepares and runs this.

No npm package has the resource yet. `cloudcoil.models.istio` has it, generated from Istio's own definitions, but requires a
newer Python and a whole Kubernetes client. Only its types are needed here, so they are loaded with pydantic alone, and
with empty classes in place of the client.
"""

import importlib.util
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pydantic
import yaml

ROOT = Path(__file__).resolve().parents[2]
CLIENT = [
    "BaseBuilder",
    "BaseModelBuilder",
    "BuilderContextBase",
    "GenericListBuilder",
    "ListBuilderContext",
    "Never",
    "Self",
    "UNSET",
]


class Client:
    """Replaces every name that is not a type of the resource."""

    def __class_getitem__(cls, _):
        return cls


class Model(pydantic.BaseModel):
    # A cluster silently drops a field that it does not know.
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)


class ObjectMeta(Model):
    name: str
    namespace: str

    class Builder(Client):
        pass


def types():
    client = {
        "cloudcoil.apimachinery": {"ObjectMeta": ObjectMeta},
        "cloudcoil.resources": {"Resource": Model},
        "cloudcoil.pydantic": {**dict.fromkeys(CLIENT, Client), "BaseModel": Model},
    }
    for name, members in client.items():
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update(members)
    path = Path(sysconfig.get_path("purelib")) / "cloudcoil/models/istio/extensions/v1alpha1.py"
    specification = importlib.util.spec_from_file_location("istio_extensions", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def main():
    extension = types().TrafficExtension
    manifest = yaml.safe_load((ROOT / "envoy/istio/trafficextension.yaml").read_text())
    extension.model_validate(manifest)

    # Verify that the check finds a typo.
    def refuses(what, change):
        wrong = yaml.safe_load(yaml.safe_dump(manifest))
        change(wrong)
        try:
            extension.model_validate(wrong)
        except pydantic.ValidationError:
            return
        sys.exit(f"{what} was not found")

    refuses("a typo", lambda it: it["spec"]["wasm"].update(failStratgy="FAIL_CLOSE"))
    refuses("a wrong word", lambda it: it["spec"]["wasm"].update(failStrategy="FAIL_SOMETIMES"))
    refuses("a wrong phase", lambda it: it["spec"].update(phase="BEFORE"))
    refuses("no URL", lambda it: it["spec"]["wasm"].pop("url"))
    refuses("a field of a WasmPlugin", lambda it: it["spec"].update(url=it["spec"]["wasm"]["url"]))
    print("check-manifests: trafficextension.yaml is as Istio's schema says")


main()
