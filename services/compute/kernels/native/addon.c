// The Node-API face of the kernels: `instructionSets`, the names of those this CPU has, best first, and `Kernels`, a
// class whose objects hold one network each. Its methods are the kernels by name, with pointers as offsets into the
// object's memory, which `takeMemory` hands out. `returnLargeBlocks` is about the process's own heap.
#include "arena.h"
#include "heap.h"
#include "table.h"
#include <node_api.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  Arena arena;
  const Kernel *kernels;
  // The object and, once taken, the ArrayBuffer: the memory stays until the last of them is collected, unless it is
  // released before.
  int owners;
  int taken;
} Instance;

typedef struct {
  const char *name;
  const Kernel *kernels;
  int (*is_here)(void);
} InstructionSet;

static int always(void) { return 1; }

#if defined(__x86_64__)
static int has_avx2(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static int has_avx512(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
static const InstructionSet INSTRUCTION_SETS[] = {{"AVX-512", kernels_avx512, has_avx512},
                                                  {"AVX2+FMA", kernels_avx2, has_avx2},
                                                  {"SSE2", kernels_portable, always}};
#elif defined(__aarch64__)
static const InstructionSet INSTRUCTION_SETS[] = {{"NEON", kernels_portable, always}};
#else
static const InstructionSet INSTRUCTION_SETS[] = {{"portable", kernels_portable, always}};
#endif
#define INSTRUCTION_SET_COUNT (sizeof INSTRUCTION_SETS / sizeof *INSTRUCTION_SETS)

#define NAME(name, ...) #name,
static const char *const KERNEL_NAMES[] = {KERNELS(NAME, NAME, NAME)};
#define KERNEL_COUNT (sizeof KERNEL_NAMES / sizeof *KERNEL_NAMES)

static napi_value throw_error(napi_env env, const char *message) {
  napi_throw_error(env, 0, message);
  return 0;
}

static void disown(Instance *instance) {
  if (--instance->owners > 0) return;
  arena_close(&instance->arena);
  free(instance);
}

static void on_object_collected(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  disown(data);
}

static void on_buffer_collected(napi_env env, void *data, void *hint) {
  (void)env, (void)data;
  disown(hint);
}

static Instance *instance_of(napi_env env, napi_value object) {
  void *instance = 0;
  if (napi_unwrap(env, object, &instance) != napi_ok) throw_error(env, "not an object of Kernels");
  return instance;
}

// new Kernels(instructionSet)
static napi_value construct(napi_env env, napi_callback_info info) {
  napi_value object, argument;
  size_t count = 1, length;
  char name[32];
  if (napi_get_cb_info(env, info, &count, &argument, &object, 0) != napi_ok || count != 1 ||
      napi_get_value_string_utf8(env, argument, name, sizeof name, &length) != napi_ok)
    return throw_error(env, "Kernels takes the name of an instruction set");
  const InstructionSet *set = 0;
  for (size_t i = 0; i < INSTRUCTION_SET_COUNT; i++)
    if (strcmp(INSTRUCTION_SETS[i].name, name) == 0 && INSTRUCTION_SETS[i].is_here()) set = &INSTRUCTION_SETS[i];
  if (!set) return throw_error(env, "this CPU doesn't have that instruction set");
  Instance *instance = calloc(1, sizeof *instance);
  if (!instance || !arena_open(&instance->arena)) {
    free(instance);
    return throw_error(env, "no addresses are left for a network");
  }
  instance->kernels = set->kernels;
  instance->owners = 1;
  if (napi_wrap(env, object, instance, on_object_collected, 0, 0) != napi_ok) {
    disown(instance);
    return throw_error(env, "the network could not be tied to its object");
  }
  return object;
}

static napi_value call_kernel(napi_env env, napi_callback_info info) {
  napi_value object, given[MAX_ARGUMENTS], result;
  size_t count = MAX_ARGUMENTS;
  void *index;
  if (napi_get_cb_info(env, info, &count, given, &object, &index) != napi_ok) return 0;
  Instance *instance = instance_of(env, object);
  if (!instance) return 0;
  if (!instance->arena.base) return throw_error(env, "the network's memory was released");
  const Kernel *kernel = &instance->kernels[(usize)index];
  double arguments[MAX_ARGUMENTS];
  if (count != (size_t)kernel->argument_count) return throw_error(env, "a kernel got too few or too many arguments");
  for (size_t i = 0; i < count; i++)
    if (napi_get_value_double(env, given[i], &arguments[i]) != napi_ok)
      return throw_error(env, "a kernel's arguments must be numbers");
  arena_current = &instance->arena;
  if (setjmp(instance->arena.refused)) return throw_error(env, "the kernels refused: out of memory or too many layers");
  double value = kernel->call(instance->arena.base, arguments);
  return napi_create_double(env, value, &result) == napi_ok ? result : 0;
}

// The memory as an ArrayBuffer, once; the network must be built by then, because its size is fixed with this.
static napi_value take_memory(napi_env env, napi_callback_info info) {
  napi_value object, buffer;
  if (napi_get_cb_info(env, info, 0, 0, &object, 0) != napi_ok) return 0;
  Instance *instance = instance_of(env, object);
  if (!instance) return 0;
  if (!instance->arena.base || instance->taken) return throw_error(env, "the network's memory was taken or released");
  if (napi_create_external_arraybuffer(env, instance->arena.base, instance->arena.committed, on_buffer_collected,
                                       instance, &buffer) != napi_ok)
    return throw_error(env, "the network's memory can't be shown to JavaScript");
  instance->owners++;
  instance->taken = 1;
  return buffer;
}

// release(buffer): gives the memory back now. `buffer` is what takeMemory gave; it and its views become empty.
static napi_value release_memory(napi_env env, napi_callback_info info) {
  napi_value object, buffer;
  size_t count = 1, bytes;
  void *data;
  if (napi_get_cb_info(env, info, &count, &buffer, &object, 0) != napi_ok) return 0;
  Instance *instance = instance_of(env, object);
  if (!instance || !instance->arena.base) return 0;
  if (count != 1 || napi_get_arraybuffer_info(env, buffer, &data, &bytes) != napi_ok || data != instance->arena.base)
    return throw_error(env, "release takes the ArrayBuffer of takeMemory");
  if (napi_detach_arraybuffer(env, buffer) != napi_ok) return throw_error(env, "the memory is still shared");
  arena_close(&instance->arena);
  return 0;
}

static napi_value return_large_blocks(napi_env env, napi_callback_info info) {
  (void)info;
  napi_value answer;
  return napi_get_boolean(env, heap_return_large_blocks() != 0, &answer) == napi_ok ? answer : 0;
}

NAPI_MODULE_INIT() {
  napi_property_descriptor methods[KERNEL_COUNT + 2];
  memset(methods, 0, sizeof methods);
  for (size_t i = 0; i < KERNEL_COUNT; i++)
    methods[i] = (napi_property_descriptor){.utf8name = KERNEL_NAMES[i], .method = call_kernel, .data = (void *)i};
  methods[KERNEL_COUNT] = (napi_property_descriptor){.utf8name = "takeMemory", .method = take_memory};
  methods[KERNEL_COUNT + 1] = (napi_property_descriptor){.utf8name = "release", .method = release_memory};
  napi_value kernels, names, name, heap;
  if (napi_define_class(env, "Kernels", NAPI_AUTO_LENGTH, construct, 0, KERNEL_COUNT + 2, methods, &kernels) !=
          napi_ok ||
      napi_set_named_property(env, exports, "Kernels", kernels) != napi_ok ||
      napi_create_function(env, "returnLargeBlocks", NAPI_AUTO_LENGTH, return_large_blocks, 0, &heap) != napi_ok ||
      napi_set_named_property(env, exports, "returnLargeBlocks", heap) != napi_ok ||
      napi_create_array(env, &names) != napi_ok)
    return 0;
  uint32_t at = 0;
  for (size_t i = 0; i < INSTRUCTION_SET_COUNT; i++)
    if (INSTRUCTION_SETS[i].is_here()) {
      napi_create_string_utf8(env, INSTRUCTION_SETS[i].name, NAPI_AUTO_LENGTH, &name);
      napi_set_element(env, names, at++, name);
    }
  napi_set_named_property(env, exports, "instructionSets", names);
  return exports;
}
