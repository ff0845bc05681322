"""A mesh of simulated nodes: real physics, the real programs' texts, real HTTP and MQTT. For demonstration, load and tests.

Everything a node ever reports is a function of seed, node and absolute time.
"""

from isems.simulator.clock import SimulatedClock
from isems.simulator.faults import Fault, assign_faults, parse_fault
from isems.simulator.nodes import NodeSpec, Program, make_mesh
from isems.simulator.publisher import Place, Publisher, parse_place
from isems.simulator.records import records, write_history
from isems.simulator.server import Limits, Mesh, addresses, serve_mesh

__all__ = [
    "Fault",
    "Limits",
    "Mesh",
    "NodeSpec",
    "Place",
    "Program",
    "Publisher",
    "SimulatedClock",
    "addresses",
    "assign_faults",
    "make_mesh",
    "parse_fault",
    "parse_place",
    "records",
    "serve_mesh",
    "write_history",
]
