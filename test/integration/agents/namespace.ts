/** What agents find in namespaces of their own, those of the network, of mounts and of processes. */
import { execFileSync } from 'node:child_process';

export const TMP = '/run/sm-test';

/** Line by line; the first one that fails is an error. */
export function shell(text: string): void {
  for (const command of text.trim().split('\n')) execFileSync('sh', ['-c', command]);
}

/** An empty /run, and two cables whose other ends are here too, with the names that the package's cases use. */
export function furnish(): void {
  shell(`
    mount -t tmpfs tmpfs /run
    mount -t sysfs sysfs /sys
    mkdir -p ${TMP} /run/lock /run/resource-agents
    ip link set lo up
    ip link add eth0 type veth peer name far0
    ip link add eth1 type veth peer name far1
    for link in eth0 eth1 far0 far1; do sysctl -qw net.ipv6.conf.$link.accept_dad=0; ip link set $link up; done
    sysctl -qw net.ipv4.conf.all.arp_ignore=1`);
}

/** For the agent IPsrcaddr, whose cases leave open which address it shall prefer. */
export function furnishForSourceAddress(): Readonly<Record<string, string>> {
  shell(`
    ip addr add 192.168.150.1/24 dev eth0
    ip addr add 192.168.150.2/24 dev eth0
    ip route add default via 192.168.150.9`);
  return { OCF_RESKEY_ipaddress: '192.168.150.2', OCF_RESKEY_cidr_netmask: '24' };
}
