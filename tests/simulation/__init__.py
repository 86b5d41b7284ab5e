"""Whole programs in virtual time: one seed, the real engine, roles, service and store. See docs/simulation.md.

====================  ==================================================================================================
file                  what
====================  ==================================================================================================
`loop`, `clock`       an event loop whose time is virtual; a program's own clock
`inline`              SQLite's calls within the loop, counted, so that a program can die at any of them
`life`, `replacing`   what ends with a program; another function in place of one
`seeding`             randomness, by seed, program and life
`story`, `telling`    what happens when, as a value; how a seed becomes one
`world`, `programs`   what plays a story: rooms, people's programs, the bridge's
`faults`              what is done to rooms: by operators, by strangers, by a relay that lies
`people`              what people do by themselves: compare numbers
`watching`            what everybody was told, posted and encrypted
`properties`          what must hold, by name
`coverage`            what of all this happened how often
`keeping`             results of many seeds, kept
`running`             one seed from story to verdict
`shrinking`           the shortest story that still fails
`drawing`             who was in which epoch when
`planted`             faults planted on purpose, each of which a property must catch
`__main__`            many seeds, with progress
====================  ==================================================================================================
"""
