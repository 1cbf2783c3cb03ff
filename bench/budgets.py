"""The budgets of the design's section 9, in one place, in the units of the figures they judge."""

from bench.figures import Budget

GATEWAY_OVER_DIRECT = Budget(0.4, at_least=True)
GATEWAY_OVER_OPENFAAS = Budget(10, at_least=True)
ANSWERS_64K_OVER_ENVOY = Budget(1.2, at_least=True)
BODIES_1M_OVER_ENVOY = Budget(1.0, at_least=True)
ADDED_P50_MS = Budget(0.15)
ADDED_P99_MS = Budget(1)
COLD_SMALL_P50_MS = Budget(8)
COLD_SMALL_P99_MS = Budget(25)
COLD_TEMPLATE_P50_MS = Budget(15)
COLD_TEMPLATE_P99_MS = Budget(40)
IDLE_MIB = Budget(150)
REGISTERED_KIB = Budget(8)
REPLICA_MIB = Budget(12)
REGISTERED_START_S = Budget(5)
ROUTING_UNCHANGED = Budget(0.95, at_least=True)
FRESH_START_S = Budget(2)
HELP_MS = Budget(150)
