"""Events that come from outside submit workflows: which bindings mean one, what they make of it, and who sent it.

Pure functions of plain values; tiphys/eventserver asks them and acts. (EVT-1 to EVT-4.)
"""
