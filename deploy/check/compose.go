// Compose files are read as Compose does it, without an engine. Beside its schema they are checked for what that cannot know: images
// are pinned, what is mounted is there, what is waited for has a health check, nothing listens beyond this machine.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func composeFaults(files []string) []string {
	var found []string
	for _, file := range files {
		for _, fault := range projectFaults(file) {
			found = append(found, fmt.Sprintf("%s: %s", file, fault))
		}
	}
	return found
}

// projectFaults lists what is wrong with a file, in words.
func projectFaults(file string) []string {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return []string{err.Error()}
	}
	options, err := cli.NewProjectOptions([]string{absolute}, cli.WithWorkingDirectory(filepath.Dir(absolute)))
	if err != nil {
		return []string{err.Error()}
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for _, name := range project.ServiceNames() {
		for _, fault := range serviceFaults(project, project.Services[name]) {
			found = append(found, fmt.Sprintf("service %s: %s", name, fault))
		}
	}
	return found
}

func serviceFaults(project *types.Project, service types.ServiceConfig) []string {
	var found []string
	if fault := imageFault(service); fault != "" {
		found = append(found, fault)
	}
	for _, volume := range service.Volumes {
		if volume.Type != types.VolumeTypeBind {
			continue
		}
		if _, err := os.Stat(volume.Source); err != nil {
			found = append(found, fmt.Sprintf("mounts %s, which is not there", volume.Source))
		}
	}
	for other, dependency := range service.DependsOn {
		if dependency.Condition == types.ServiceConditionHealthy && project.Services[other].HealthCheck == nil {
			found = append(found, fmt.Sprintf("waits until %s is healthy, which has no health check", other))
		}
	}
	for _, port := range service.Ports {
		if port.HostIP != "127.0.0.1" {
			found = append(found, fmt.Sprintf("publishes port %s beyond 127.0.0.1", port.Published))
		}
	}
	if build := service.Build; build != nil {
		dockerfile := filepath.Join(build.Context, build.Dockerfile)
		if _, err := os.Stat(dockerfile); err != nil {
			found = append(found, fmt.Sprintf("is built by %s, which is not there", dockerfile))
		}
	}
	return found
}

// imageFault says what is wrong with a service's image. One that is pulled has a version with its parts, not a name that moves.
func imageFault(service types.ServiceConfig) string {
	if service.Build != nil {
		return ""
	}
	name, tag, tagged := strings.Cut(service.Image[strings.LastIndex(service.Image, "/")+1:], ":")
	switch {
	case !tagged:
		return fmt.Sprintf("image %s has no version", name)
	case !strings.Contains(tag, "."):
		return fmt.Sprintf("image %s is not pinned by its version %s", name, tag)
	}
	return ""
}
