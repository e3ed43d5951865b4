{{/* What a schema cannot say: combinations that cannot work. All of them at once, each with its remedy. */}}
{{- define "rkd.refuse" -}}
{{- $v := .Values -}}
{{- $sqlite := eq $v.database.type "sqlite" -}}
{{- $pvc := eq $v.storage.type "pvc" -}}
{{- $rayjob := eq $v.launcher "rayjob" -}}
{{- $found := list -}}

{{- if and $sqlite (gt (int $v.control.replicas) 1) -}}
{{- $found = append $found (printf "control.replicas is %v with database.type sqlite, which one process alone can use: set control.replicas to 1, or database.type to postgresql" $v.control.replicas) -}}
{{- end -}}
{{- if and $sqlite (not $pvc) -}}
{{- $found = append $found "database.type is sqlite with storage.type s3: the file would end with its pod. Set database.type to postgresql, or storage.type to pvc" -}}
{{- end -}}
{{- if and (not $sqlite) (not $v.database.secretName) -}}
{{- $found = append $found "database.secretName is empty with database.type postgresql: name a Secret whose key database.secretKey holds the URL" -}}
{{- end -}}
{{- if and $sqlite $v.database.secretName -}}
{{- $found = append $found (printf "database.secretName is %s with database.type sqlite, which reads none: set database.type to postgresql, or leave it empty" $v.database.secretName) -}}
{{- end -}}
{{- if and (not $pvc) (not $v.keyPepper.secretName) -}}
{{- $found = append $found "keyPepper.secretName is empty with storage.type s3: the file of the data folder would end with its pod, and every API key with it. Name a Secret" -}}
{{- end -}}
{{- if and (not $pvc) (not $v.firstKey.secretName) -}}
{{- $found = append $found "firstKey.secretName is empty with storage.type s3: the file with the first administrator's key would end with its pod, and nothing could read that key again. Name a Secret with what `rkd keys make-first` prints" -}}
{{- end -}}

{{- if eq (get $v.config "RKD_AUTH" | default "keys") "off" -}}
{{- $reach := "the Service" -}}
{{- if $v.ingress.enabled -}}{{- $reach = "the Ingress" -}}{{- end -}}
{{- $found = append $found (printf "config.RKD_AUTH is off, and others reach the API through %s: remove it, since the control plane would refuse to start" $reach) -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.host) -}}
{{- $found = append $found "ingress.host is empty: name the host, since the API answers to no other" -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.tlsSecretName) -}}
{{- $found = append $found "ingress.tlsSecretName is empty: name a Secret with a certificate, since API keys travel in every request" -}}
{{- end -}}

{{- if and $pvc (gt (int $v.control.replicas) 1) (ne $v.storage.pvc.accessMode "ReadWriteMany") -}}
{{- $found = append $found (printf "control.replicas is %v and storage.pvc.accessMode %s: set ReadWriteMany, or storage.type to s3" $v.control.replicas $v.storage.pvc.accessMode) -}}
{{- end -}}
{{- if and (not $pvc) (not $v.storage.s3.bucket) -}}
{{- $found = append $found "storage.s3.bucket is empty with storage.type s3: name the bucket" -}}
{{- end -}}
{{- if and (not $pvc) (not $v.storage.s3.secretName) (not $v.serviceAccounts.annotations) -}}
{{- $found = append $found "storage.s3.secretName is empty, and serviceAccounts.annotations give no cloud role: name a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or annotate" -}}
{{- end -}}

{{- $enough := int (add $v.control.preStopSeconds 20) -}}
{{- if lt (int $v.control.terminationGracePeriodSeconds) $enough -}}
{{- $found = append $found (printf "control.terminationGracePeriodSeconds is %v: draining takes up to 20 s after control.preStopSeconds, so set at least %d" $v.control.terminationGracePeriodSeconds $enough) -}}
{{- end -}}

{{- $roles := list -}}
{{- $names := list -}}
{{- $gpus := 0 -}}
{{- range $v.ray.workerGroups -}}
{{- $names = append $names .name -}}
{{- if .role -}}{{- $roles = append $roles .role -}}{{- end -}}
{{- $gpus = add $gpus (mul .gpus .maxReplicas) -}}
{{- if or (gt (int .minReplicas) (int .replicas)) (gt (int .replicas) (int .maxReplicas)) -}}
{{- $found = append $found (printf "ray.workerGroups %s has replicas %v: it has to lie between minReplicas %v and maxReplicas %v" .name .replicas .minReplicas .maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- if ne (len $names) (len (uniq $names)) -}}
{{- $found = append $found (printf "ray.workerGroups has two groups of one name (%s): name each by its own" (join ", " $names)) -}}
{{- end -}}
{{- if and (eq $v.device "cuda") (eq (int $gpus) 0) -}}
{{- $found = append $found "device is cuda, and no group of ray.workerGroups has gpus: give one gpus and maxReplicas, or set device to cpu" -}}
{{- end -}}
{{- if and (eq $v.device "cpu") (gt (int $gpus) 0) -}}
{{- $found = append $found "device is cpu, and a group of ray.workerGroups has gpus, which its image could not use: set device to cuda, or gpus to 0" -}}
{{- end -}}
{{- range (get $v.config "RKD_CLUSTER_GROUPS" | default list) -}}
{{- if and .gpus (eq (int $gpus) 0) -}}
{{- $found = append $found "config.RKD_CLUSTER_GROUPS has a group with gpus, and ray.workerGroups has none: give one gpus, or remove it" -}}
{{- end -}}
{{- end -}}
{{- if or $v.ray.roleLabel $rayjob -}}
{{- range (list "generator" "scorer" "learner") -}}
{{- if not (has . $roles) -}}
{{- $found = append $found (printf "%s, and no group of ray.workerGroups has the role %s: give one that role%s" (ternary "launcher is rayjob" "ray.roleLabel is set" $rayjob) . (ternary ", or set launcher to shared" ", or empty ray.roleLabel" $rayjob)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $rayjob -}}
{{- range $v.ray.workerGroups -}}
{{- if ne .name .role -}}
{{- $found = append $found (printf "launcher is rayjob, which finds groups by their names, and the group %s of ray.workerGroups has the role %q: name it by its role" .name .role) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.ray.gcsFaultTolerance.enabled (not $v.ray.gcsFaultTolerance.redisAddress) -}}
{{- $found = append $found "ray.gcsFaultTolerance.redisAddress is empty: name the Redis, or set ray.gcsFaultTolerance.enabled to false" -}}
{{- end -}}
{{- if and $v.ray.gcsFaultTolerance.enabled (not $v.ray.gcsFaultTolerance.secretName) -}}
{{- $found = append $found "ray.gcsFaultTolerance.secretName is empty: name the Secret with the password of Redis" -}}
{{- end -}}

{{- if and $v.kueue.enabled (not $rayjob) -}}
{{- $found = append $found "kueue.enabled is true with launcher shared: a standing cluster would hold its quota for good, and jobs would never queue for any. Set launcher to rayjob, or kueue.enabled to false" -}}
{{- end -}}
{{- if and $v.kueue.enabled $v.kueue.createClusterQueue -}}
{{- $covered := keys (first $v.kueue.flavors).quotas | sortAlpha -}}
{{- range $v.kueue.flavors -}}
{{- if ne (keys .quotas | sortAlpha | join ",") (join "," $covered) -}}
{{- $found = append $found (printf "kueue.flavors %s has quotas of other resources than the first (%s): give all the same" .name (join ", " $covered)) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $v.device "cuda") (not (has "nvidia.com/gpu" $covered)) -}}
{{- $found = append $found "kueue.flavors have no quota of nvidia.com/gpu with device cuda: no job would ever be admitted. Add it to quotas" -}}
{{- end -}}
{{- end -}}

{{- if $found -}}
{{- fail (printf "\n\n- %s\n" (join "\n- " $found)) -}}
{{- end -}}
{{- end }}
