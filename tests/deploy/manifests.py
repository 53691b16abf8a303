"""Rendered manifests: `split FILE FOLDER` puts each document of Kubernetes' own into a file; `check FILE BINARY` holds them
to what no schema says.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

import yaml

# Kinds of others: gateway.mjs looks at the first; for the second no schema is at hand.
NOT_KUBERNETES = ("gateway.networking.k8s.io/", "monitoring.coreos.com/")


def documents(file):
    return [document for document in yaml.safe_load_all(pathlib.Path(file).read_text()) if document]


def split(file, folder):
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir()
    for number, document in enumerate(documents(file)):
        if not document["apiVersion"].startswith(NOT_KUBERNETES):
            pathlib.Path(folder, f"{number}.yaml").write_text(yaml.safe_dump(document))


def pods(document):
    if document["kind"] == "Pod":
        yield document["spec"]
    elif "template" in document.get("spec", {}):
        yield document["spec"]["template"]["spec"]


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def restricted(pod):
    """The Pod Security Standard `restricted`, and a read-only root, no token, bounded memory."""
    inside = pod.get("securityContext", {})
    yield inside.get("runAsNonRoot") is True, "runAsNonRoot"
    yield inside.get("runAsUser") == 65532, "runAsUser: the image's own"
    yield inside.get("seccompProfile", {}).get("type") == "RuntimeDefault", "seccompProfile"
    yield pod.get("automountServiceAccountToken") is False, "automountServiceAccountToken"
    yield not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")), "host namespaces"
    for container in containers(pod):
        own, name = container.get("securityContext", {}), container["name"]
        yield own.get("allowPrivilegeEscalation") is False, f"{name}: allowPrivilegeEscalation"
        yield own.get("readOnlyRootFilesystem") is True, f"{name}: readOnlyRootFilesystem"
        yield own.get("capabilities", {}).get("drop") == ["ALL"], f"{name}: capabilities"


def served(pod, drain):
    """What a pod that serves has: probes, a place for them, memory, time to end."""
    for container in containers(pod):
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        if not ports:
            continue
        name = container["name"]
        for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            asked = container.get(probe, {}).get("httpGet", {})
            yield asked == {"path": path, "port": "admin"}, f"{name}: {probe}"
        yield "memory" in container["resources"].get("limits", {}), f"{name}: a limit of memory"
        yield "cpu" not in container["resources"].get("limits", {}), f"{name}: no limit of CPU"
        before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        yield pod["terminationGracePeriodSeconds"] > before + drain, f"{name}: time to drain"


def selectors(all_of_them):
    """Everything that points at pods points at some that are there."""
    labels = []
    for document in all_of_them:
        if document["kind"] == "Deployment":
            labels.append(document["spec"]["template"]["metadata"]["labels"])
        elif document["kind"] == "Pod":
            labels.append(document["metadata"]["labels"])
    for document in all_of_them:
        spec = document.get("spec", {})
        wanted = {
            "Service": lambda: spec["selector"],
            "Deployment": lambda: spec["selector"]["matchLabels"],
            "PodDisruptionBudget": lambda: spec["selector"]["matchLabels"],
            "PodMonitor": lambda: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda: spec["podSelector"]["matchLabels"],
        }.get(document["kind"])
        if wanted:
            hits = [found for found in labels if wanted().items() <= found.items()]
            yield len(hits) == 1, f"{document['kind']}: selects {len(hits)} kinds of pods"
    names = {document["metadata"]["name"] for document in all_of_them if document["kind"] == "Service"}
    for document in all_of_them:
        for rule in document.get("spec", {}).get("rules", []) if document["kind"] == "HTTPRoute" else []:
            for backend in rule["backendRefs"]:
                yield backend["name"] in names, f"HTTPRoute: no Service {backend['name']}"


def configuration(text, binary):
    """The program itself reads the file: it says nothing wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        # Certificates that pods get from Secrets are not here.
        file = pathlib.Path(folder, "proxy.toml")
        file.write_text(text)
        said = subprocess.run([binary, "config", "check", file], capture_output=True, text=True)
    missing = [line for line in said.stderr.splitlines() if line.startswith("error:") and "No such file" not in line]
    return said.returncode == 0 or not missing, f"proxy.toml: {said.stderr}{said.stdout}"


def check(file, binary):
    wrong, looked = [], 0
    all_of_them = documents(file)
    drain = 30
    for document in all_of_them:
        if document["kind"] == "ConfigMap":
            text = document["data"]["proxy.toml"]
            drain = tomllib.loads(text).get("limits", {}).get("drain_seconds", 8)
            results = [configuration(text, binary)]
        else:
            results = []
        for pod in pods(document):
            results += [*restricted(pod), *served(pod, drain)]
        looked += len(results)
        wrong += [f"{document['kind']}: {what}" for held, what in results if not held]
    results = list(selectors(all_of_them))
    wrong += [what for held, what in results if not held]
    print(f"{looked + len(results)} things looked at", *wrong, sep="\n")
    return 1 if wrong or not looked else 0


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    sys.exit({"split": split, "check": check}[command](*arguments))
