//! One call for everything that one line says, as the agent, the Fluent Bit filter and the Arroyo UDF use it.
