// Checks the files that are deployed as those would read them who are not here: Compose and Strimzi.
//
//	check compose FILE…
//	check strimzi FOLDER REGISTRATION
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: check compose FILE… | check strimzi FOLDER REGISTRATION")
		os.Exit(2)
	}
	var faults []string
	switch arguments := os.Args[2:]; {
	case os.Args[1] == "compose":
		faults = composeFaults(arguments)
	case os.Args[1] == "strimzi" && len(arguments) == 2:
		faults = strimziFaults(arguments[0], arguments[1])
	default:
		faults = []string{"unknown arguments"}
	}
	for _, fault := range faults {
		fmt.Fprintln(os.Stderr, fault)
	}
	if len(faults) > 0 {
		os.Exit(1)
	}
}
