"""The speed figures: MyGPT beside the vendor's SDK without a page (`raw`) and a bare page without framework (`floor`).

All three talk to the same fake model server in one run, in turns, so that their ratios mean something on any machine.
"""
