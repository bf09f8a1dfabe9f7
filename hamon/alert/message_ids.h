/*
 * Every kind of record: its MESSAGE_ID in the journal, and what a Pacemaker alert agent is told of it. The ids are
 * part of the interface, like the kinds: filters and journal catalogs of operators name them. Never change one, never
 * give one to another kind. doc/hamon-alerts.7 lists them; `make check` compares.
 *
 * X(kind, message id, CRM_alert_kind, CRM_alert_desc or "", CRM_alert_rc, CRM_alert_status)
 *
 * What has no like in Pacemaker is told as an attribute "hamon-KIND" of the host, with the record's text as value:
 * the sample agents then say something sensible of it. CRM_alert_status is an enum pcmk_exec_status: 0 done, 9
 * "Cannot execute now".
 */
#ifndef HAMON_ALERT_MESSAGE_IDS_H
#define HAMON_ALERT_MESSAGE_IDS_H

/* Of a kind that is not below: a later version's. */
#define ALERT_OTHER_MESSAGE_ID "cf5aacc07d814d3499ba5e51372c53b4"

#define ALERT_KINDS(X) \
	X("host-suspected", "ba43f7fd6a6442a9adbfe1aea4852a84", ATTRIBUTE, "", 0, 0) \
	X("host-absent", "4d558f95dcb14bc785163738b37b3f62", ATTRIBUTE, "", 0, 0) \
	X("host-lost", "8483df8563264787ba0b5f5d7d848c94", NODE, "lost", 0, 0) \
	X("host-left", "df83b9236203451b99364de802c007c4", NODE, "lost", 0, 0) \
	X("host-unwatched", "27d633ea6adf47079774719f589ef967", ATTRIBUTE, "", 0, 0) \
	X("host-quarantined", "f036683abd0b40898d997b753913f26e", ATTRIBUTE, "", 0, 0) \
	X("host-admitted", "54828242d81340329296999da015e71f", NODE, "member", 0, 0) \
	X("host-forgotten", "f76b8bf252184f919dfac5456fb20290", ATTRIBUTE, "", 0, 0) \
	X("fence-intent", "42dd8272405040a7b446d75ab9160c3d", ATTRIBUTE, "", 0, 0) \
	X("fence-failed", "41e7fcac9acd4d8c8671c9c2de8d006b", FENCING, "", 1, 0) \
	X("fence-confirmed", "36e3cb05128f4e8d96a5da09ca5f4b8e", FENCING, "", 0, 0) \
	X("fence-cancelled", "10c67a34afc34b6aba17d7db0e651a54", ATTRIBUTE, "", 0, 0) \
	X("fence-contradiction", "695cac9a3b8e443183b3b823adc920a1", ATTRIBUTE, "", 0, 0) \
	X("fence-device-failed", "b211b32fc6154c40b9df315ef0390111", ATTRIBUTE, "", 0, 0) \
	X("fence-device-ok", "e15693d8f96f4eee8702cc917ae07c46", ATTRIBUTE, "", 0, 0) \
	X("storage-verdict", "308362d3b5d544f283797eda9be687fb", ATTRIBUTE, "", 0, 0) \
	X("instance-claimed", "91897649c29141fa937bdc291f36a1b4", ATTRIBUTE, "", 0, 0) \
	X("instance-assigned", "999c2aa38ce14ce5a7328d173dd08fc9", ATTRIBUTE, "", 0, 0) \
	X("instance-starting", "9a3589a8bbde4bb38bee4d93ad9bda63", ATTRIBUTE, "", 0, 0) \
	X("instance-running", "702c3d6d059147519836258d6a58e503", RESOURCE, "ok", 0, 0) \
	X("instance-failed", "ccf9b73a22a94cfc928e7fdf08f6b8e7", RESOURCE, "error", 1, 0) \
	X("instance-held", "189cd26e170c4ac8bc5d63d181b9c8b2", RESOURCE, "Cannot execute now", 1, 9) \
	X("instance-excluded", "4b0e6f2d91c84d7aa35c8f1e60d27b94", ATTRIBUTE, "", 0, 0) \
	X("instance-waiting", "da5011ec15ef484081c9d940b323c7b1", ATTRIBUTE, "", 0, 0) \
	X("instance-autostart", "386dce3b1a024fc4b775b46d344737e9", ATTRIBUTE, "", 0, 0) \
	X("instance-migrating", "6994f0b7ac834f4b90f53c9a2e1c8d67", ATTRIBUTE, "", 0, 0) \
	X("instance-migrated", "dcffcd30f6194d7481280af8c80967ea", ATTRIBUTE, "", 0, 0) \
	X("instance-handed-over", "f4580ae596de4760a30beea46cf6832e", ATTRIBUTE, "", 0, 0) \
	X("instance-undefined", "ad1fd46ac0124238816c7ed0f1396c65", ATTRIBUTE, "", 0, 0) \
	X("instance-wish", "426057fc40a8402e8a31682cb5b8702e", ATTRIBUTE, "", 0, 0) \
	X("incident-held", "5112485d945e4080899657eb7ba3af63", ATTRIBUTE, "", 0, 0) \
	X("incident-closed", "cf2f3b92e6524780bc7442adcd3edf72", ATTRIBUTE, "", 0, 0) \
	X("double-run", "59a98faf340f4b33b46a485256e9fa53", ATTRIBUTE, "", 0, 0) \
	X("stale-stopped", "44df674583af46cc922c63a08fe7df7c", ATTRIBUTE, "", 0, 0) \
	X("start-refused", "77a9aacba07544e8af34f2bde9e77e39", ATTRIBUTE, "", 0, 0) \
	X("gate-missing", "eb3bc91af2214a0ba385a854fbea2219", ATTRIBUTE, "", 0, 0) \
	X("libvirt-lost", "cea8d40a3a3a4d8fbf02b6f8baa046a8", ATTRIBUTE, "", 0, 0) \
	X("coordinator", "013c00a909de4f09a462c1273bafa083", ATTRIBUTE, "", 0, 0) \
	X("unsynced", "a290a325c4954136823533df949c496f", ATTRIBUTE, "", 0, 0) \
	X("store-empty", "040b100e3cc84ef491fba2a4f887a65d", ATTRIBUTE, "", 0, 0) \
	X("brake", "97dd931704b547adbce61a217d4084cd", ATTRIBUTE, "", 0, 0) \
	X("maintenance", "7e69baecac884039bfded99bc5d38d4a", ATTRIBUTE, "", 0, 0) \
	X("limit", "246f3742fa7a4ff9b0476219fa8b9dbc", ATTRIBUTE, "", 0, 0) \
	X("config", "f0aa2d3c9a1d47f5bb3c4de565ffbdb5", ATTRIBUTE, "", 0, 0) \
	X("crypto-off", "ec4d9f92be574969b5391c55914319fd", ATTRIBUTE, "", 0, 0) \
	X("nova-return", "5d0c1f6e7b9a4c3f8e21a64d90b7c258", ATTRIBUTE, "", 0, 0) \
	X("reserved-host", "4f71762206c048a5bd69cca6d8fd3347", ATTRIBUTE, "", 0, 0) \
	X("volumes", "a5d86759de1a4604b51378621fee6662", ATTRIBUTE, "", 0, 0) \
	X("store-failed", "b2654f0f5c69408d8027d170af8bcdf9", ATTRIBUTE, "", 0, 0)

#endif
