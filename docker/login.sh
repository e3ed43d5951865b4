# Debian's /etc/profile sets PATH anew for every login shell, which KubeRay may start.
PATH=/opt/rkd/bin:$PATH
