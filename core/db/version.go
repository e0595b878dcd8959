package db

import "fmt"

// firstSafeMinor is, per major version, the first minor without known holes in row-level security:
// CVE-2023-2455, CVE-2024-10976 and CVE-2025-8713.
var firstSafeMinor = map[int]int{15: 14, 16: 10, 17: 6}

// checkServerVersion judges server_version_num, e.g. 150018 for 15.18. Version 15 is the oldest that can keep views under the
// caller's row-level security (security_invoker); versions newer than the table are taken as good.
func checkServerVersion(num int) error {
	major, minor := num/10000, num%10000
	if major < 15 {
		return fmt.Errorf("db: PostgreSQL %d.%d is too old: version 15 or newer is needed", major, minor)
	}
	if minor < firstSafeMinor[major] {
		return fmt.Errorf("db: PostgreSQL %d.%d has known holes in row-level security: update it to %d.%d or newer", major, minor, major, firstSafeMinor[major])
	}
	return nil
}
