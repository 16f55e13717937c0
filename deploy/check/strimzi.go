// Strimzi's resources are read into the fields that are used here, and nothing else may be in them; the connector's settings are
// compared with the registration that is tested, so that the two cannot drift apart.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"
)

type resource struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name        string
		Labels      map[string]string
		Annotations map[string]string
	}
	Spec yaml.Node
}

type connect struct {
	Version            string
	Replicas           int
	BootstrapServers   string         `yaml:"bootstrapServers"`
	GroupID            string         `yaml:"groupId"`
	ConfigStorageTopic string         `yaml:"configStorageTopic"`
	OffsetStorageTopic string         `yaml:"offsetStorageTopic"`
	StatusStorageTopic string         `yaml:"statusStorageTopic"`
	Config             map[string]any `yaml:"config"`
	Build              struct {
		Output  struct{ Type, Image string }
		Plugins []struct {
			Name      string
			Artifacts []struct{ Type, Group, Artifact, Version string }
		}
	}
	Template struct {
		ConnectContainer struct {
			Env []struct {
				Name      string
				ValueFrom struct {
					SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
				} `yaml:"valueFrom"`
			}
		} `yaml:"connectContainer"`
	}
	Resources map[string]map[string]string
}

type connector struct {
	Class       string
	TasksMax    int                    `yaml:"tasksMax"`
	AutoRestart struct{ Enabled bool } `yaml:"autoRestart"`
	Config      map[string]string
}

type topic struct {
	TopicName  string `yaml:"topicName"`
	Partitions int
	Replicas   int
	Config     map[string]string
}

// elsewhere are the settings in which production differs from one machine.
var elsewhere = map[string]bool{
	"topic.creation.default.replication.factor":    true,
	"topic.creation.boundaries.replication.factor": true,
}

func strimziFaults(folder, registrationFile string) []string {
	text, err := os.ReadFile(registrationFile)
	if err != nil {
		return []string{err.Error()}
	}
	var registration map[string]string
	if err := json.Unmarshal(text, &registration); err != nil {
		return []string{fmt.Sprintf("%s: %v", registrationFile, err)}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return []string{fmt.Sprintf("%s: no manifests (%v)", folder, err)}
	}
	var found []string
	topics := map[string]topic{}
	for _, file := range files {
		for _, fault := range fileFaults(file, registration, topics) {
			found = append(found, fmt.Sprintf("%s: %s", file, fault))
		}
	}
	for _, fault := range topicFaults(registration, topics) {
		found = append(found, fmt.Sprintf("%s: %s", folder, fault))
	}
	return found
}

func fileFaults(file string, registration map[string]string, topics map[string]topic) []string {
	open, err := os.Open(file)
	if err != nil {
		return []string{err.Error()}
	}
	defer open.Close()
	decoder := yaml.NewDecoder(open)
	decoder.KnownFields(true)
	var found []string
	for {
		var read resource
		if err := decoder.Decode(&read); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			return append(found, err.Error())
		}
		for _, fault := range resourceFaults(read, registration, topics) {
			found = append(found, fmt.Sprintf("%s %s: %s", read.Kind, read.Metadata.Name, fault))
		}
	}
}

func resourceFaults(read resource, registration map[string]string, topics map[string]topic) []string {
	if read.APIVersion != "kafka.strimzi.io/v1" {
		return []string{fmt.Sprintf("unknown version %q", read.APIVersion)}
	}
	switch read.Kind {
	case "KafkaConnect":
		return strictly(read.Spec, &connect{})
	case "KafkaConnector":
		var spec connector
		found := strictly(read.Spec, &spec)
		if read.Metadata.Labels["strimzi.io/cluster"] == "" {
			found = append(found, "no label says which Connect cluster it is of")
		}
		return append(found, connectorFaults(spec, registration)...)
	case "KafkaTopic":
		var spec topic
		found := strictly(read.Spec, &spec)
		topics[spec.TopicName] = spec
		return found
	}
	return []string{"unknown kind"}
}

// strictly reads a node into fields, and nothing may be left over.
func strictly(node yaml.Node, into any) []string {
	text, err := yaml.Marshal(&node)
	if err != nil {
		return []string{err.Error()}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return []string{err.Error()}
	}
	return nil
}

func connectorFaults(spec connector, registration map[string]string) []string {
	settings := map[string]string{"connector.class": spec.Class, "tasks.max": fmt.Sprint(spec.TasksMax)}
	for name, value := range spec.Config {
		settings[name] = value
	}
	names := map[string]bool{}
	for name := range settings {
		names[name] = true
	}
	for name := range registration {
		names[name] = true
	}
	var found []string
	for name := range names {
		if settings[name] != registration[name] && !elsewhere[name] {
			found = append(found, fmt.Sprintf("%s is %q, and %q in the registration", name, settings[name], registration[name]))
		}
	}
	sort.Strings(found)
	return found
}

// topicFaults compares the topics with what the connector will write.
func topicFaults(registration map[string]string, topics map[string]topic) []string {
	prefix := registration["topic.prefix"]
	policies := map[string]string{prefix + ".transaction": "delete", "__debezium-heartbeat." + prefix: "compact"}
	for _, table := range strings.Split(registration["table.include.list"], ",") {
		policies[prefix+"."+table] = "compact"
	}
	var found []string
	for name, policy := range policies {
		if made, there := topics[name]; !there {
			found = append(found, fmt.Sprintf("no topic %s", name))
		} else if made.Config["cleanup.policy"] != policy {
			found = append(found, fmt.Sprintf("topic %s has cleanup.policy %q, not %q", name, made.Config["cleanup.policy"], policy))
		}
	}
	for name := range topics {
		if policies[name] == "" {
			found = append(found, fmt.Sprintf("nothing writes topic %s", name))
		}
	}
	sort.Strings(found)
	return found
}
