"""From what somebody wrote to what can run: archives, dependency layers, templates."""
