//! `vedetta demo`: the simulated network, its agents, a broker and a hub in one process.
