"""What the verifier said of a program it refused, for people.

``log`` reads the text, ``facts`` joins it with what the object says, ``reasons`` knows
what is behind the usual complaints, ``report`` writes the error. Imported when a load
has failed, never before.
"""
