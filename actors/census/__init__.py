"""How many workflows and pods there are in which phase: what upstream's dashboards show."""
