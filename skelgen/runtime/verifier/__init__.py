"""The verifier's refusal of a program, for people.

``log`` reads the text, ``facts`` joins it with what the object says, ``reasons`` knows
what is behind the usual complaints, ``report`` writes the error. Imported when a load
has failed, never before.
"""
