package coretest

import "os"

// Size is how big a load a test makes: normal in every run, full with CERTSAAS_FULL set (`make soak`), where a run may take an
// hour and shows what the guides of reliability ask for at their own figures.
func Size(normal, full int) int {
	if os.Getenv("CERTSAAS_FULL") != "" {
		return full
	}
	return normal
}
