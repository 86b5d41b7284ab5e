"""The cryptography: against published vectors, against `cryptography`'s own HPKE, and at its edges."""
