/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every recorder of skblab shares: seeded chance, a text that grows in one buffer, and the file under debugfs that it is read from.
 * A recorder does its work once, when it is loaded; /sys/kernel/debug/NAME/record holds the transcript until it is unloaded.
 */
#ifndef SKBLAB_H
#define SKBLAB_H

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/utsname.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#define SINCE(major, minor) (LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

struct sink {
	char *text;
	size_t length, room;
	bool lost;
};

static struct sink sink;
static struct dentry *sink_dir;
static unsigned int chance_state;

static __maybe_unused void chance_seed(unsigned int seed)
{
	chance_state = seed * 2654435761u + 0x9e3779b9u;
	if (!chance_state)
		chance_state = 1;
}

/* xorshift32: the same sequence on every kernel. */
static __maybe_unused unsigned int chance(unsigned int below)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 17;
	chance_state ^= chance_state << 5;
	return below ? chance_state % below : 0;
}

static __printf(1, 2) void say(const char *format, ...)
{
	va_list args;
	int n;

	if (sink.lost)
		return;
	va_start(args, format);
	n = vsnprintf(sink.text + sink.length, sink.room - sink.length, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sink.room - sink.length)
		sink.lost = true;
	else
		sink.length += n;
}

/* FNV-1a, 32 bits, of all that was written. */
static unsigned int sink_checksum(void)
{
	unsigned int sum = 0x811c9dc5;
	size_t i;

	for (i = 0; i < sink.length; i++)
		sum = (sum ^ (unsigned char)sink.text[i]) * 0x01000193;
	return sum;
}

/* The last line carries a checksum of those before it. Nothing after what was lost may look whole: then it says so. */
static __maybe_unused void say_end(void)
{
	static const char lost[] = "\n{\"t\":\"end\",\"truncated\":1}\n";

	if (!sink.lost) {
		say("{\"t\":\"end\",\"truncated\":0,\"fnv\":%u}\n", sink_checksum());
		if (!sink.lost)
			return;
	}
	sink.length = min(sink.length, sink.room - sizeof(lost));
	memcpy(sink.text + sink.length, lost, sizeof(lost) - 1);
	sink.length += sizeof(lost) - 1;
}

static __maybe_unused void say_kernel(void)
{
	say("\"release\":\"%s\",\"version\":\"%s\"", init_utsname()->release, init_utsname()->version);
}

static ssize_t sink_read(struct file *file, char __user *to, size_t count, loff_t *at)
{
	return simple_read_from_buffer(to, count, at, sink.text, sink.length);
}

static const struct file_operations sink_files = { .owner = THIS_MODULE, .read = sink_read, .llseek = default_llseek };

static int sink_open(size_t room)
{
	sink.text = vmalloc(room);
	sink.room = room;
	return sink.text ? 0 : -ENOMEM;
}

static void sink_publish(const char *name)
{
	sink_dir = debugfs_create_dir(name, NULL);
	debugfs_create_file("record", 0400, sink_dir, NULL, &sink_files);
}

static void sink_close(void)
{
	debugfs_remove_recursive(sink_dir);
	vfree(sink.text);
	sink.text = NULL;
}

#endif
