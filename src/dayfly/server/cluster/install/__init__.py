"""What an installation in a cluster consists of: one function from values to Kubernetes objects, and the chart of it.

values       what may be said of an installation, checked
choices      how one function makes both objects and templates
permissions  what the control plane, and people, may do, and why
pods         what all our pods have: rights, probes, volumes
workloads    control plane, gateways, the pool
queue        nats-server
network      who may talk to whom, and the way in
manifests    all of it, in the order in which it is applied
chart        the same as a Helm chart: deploy/chart/dayfly
credentials  what is made at random at the first installation
kubectl      the user's own kubectl
applying     install and uninstall
"""
