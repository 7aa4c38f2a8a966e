"""What Tiphys is in a cluster: its manifests, made from one source, and what a cluster lacks to run it.

`manifests.py` says what there is for a `Choice`; `files.py` writes it for kustomize and Helm into `deploy/`; the
commands `install`, `uninstall` and `check` use the same. Nothing here is loaded by the controllers.
"""
