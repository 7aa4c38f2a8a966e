"""What a controller shows of itself: every series in one registry, and all that is made of it.

`own.py` declares what is measured from outside the actors, `gauges.py` and `objects.py` read it off when somebody
scrapes, `probe.py` and `requests.py` measure it as it happens; `registry.py` lists every series there can be, and
`alerts.py` and `dashboards.py` are made of that list.
"""
