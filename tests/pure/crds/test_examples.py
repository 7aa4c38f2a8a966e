"""Upstream's examples are written well, except for the two that have no name."""

from __future__ import annotations

import copy

import crds
from crds import model
from crds.check import check
from tiphys.devcluster import schema

NAMELESS = {"fun-with-gifs.yaml", "k8s-jobs.yaml"}


def test_every_example_has_known_fields_of_right_types(examples):
    wrong = {file: [str(problem) for problem in check(thing)] for file, thing in examples}

    assert {file: found for file, found in wrong.items() if found} == {
        file: ["metadata: has neither name nor generateName (an object needs one of them)"] for file in NAMELESS
    }


def test_the_models_take_every_example(examples):
    for _, thing in examples:
        model(thing["kind"]).model_validate(thing)


def test_the_dev_cluster_takes_every_example_and_drops_nothing(examples):
    schemas = {
        manifest["spec"]["names"]["kind"]: manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for manifest in crds.manifests()
    }
    for file, thing in examples:
        kept = copy.deepcopy(thing)
        assert (file, schema.prune(kept, schemas[thing["kind"]])) == (file, [])
        assert (file, schema.validate(kept, schemas[thing["kind"]])) == (file, [])
        assert kept == thing
