"""Test vectors that others have made: recorded here, or fetched and checked."""
