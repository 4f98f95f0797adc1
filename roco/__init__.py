"""roco: robust and compact neural architecture search (RoCo-NAS, IJCNN 2021)."""

__version__ = "0.1.0"
