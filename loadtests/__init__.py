"""Load from outside: shoppers who know nothing but URLs. `make spike` runs them and ends with the audit."""
