"""Can the metrics of videos be trusted: damaged videos, measured."""
