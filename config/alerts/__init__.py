"""What operators are woken for: the rules of deploy/prometheus/alerts.yml, judged by the house itself."""
