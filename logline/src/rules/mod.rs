//! Packs (taxonomy, rules, examples) and the engine that runs all rules of a pack over a line in one pass.
