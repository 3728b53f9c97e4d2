// Lines of sysctl(8): `vm.min_free_kbytes = 11495`, as printed by sysctl -a or written in sysctl.conf.

export interface SysctlSetting {
  readonly key: string;
  readonly value: string;
}

export interface Sysctl {
  readonly kind: "sysctl";
  readonly settings: readonly SysctlSetting[];
}

/** The value of a key as a number; undefined when it is not there or not one number. */
export function sysctlNumber(sysctl: Sysctl, key: string): number | undefined {
  const value = sysctl.settings.findLast((s) => s.key === key)?.value;
  return value !== undefined && /^-?\d+$/.test(value.trim()) ? Number(value) : undefined;
}
