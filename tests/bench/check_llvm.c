/* Linked with the LLVM input: the sum of the first COUNT numbers, as constants of a module that fold. */
#include <llvm-c/Core.h>
#include <stdint.h>

uint64_t check_llvm(uint64_t count);
uint64_t check_llvm(uint64_t count) {
    LLVMContextRef context = LLVMContextCreate();
    LLVMTypeRef type = LLVMInt64TypeInContext(context);
    LLVMValueRef sum = LLVMConstInt(type, 0, 0);
    for (uint64_t n = 1; n <= count; n++)
        sum = LLVMConstAdd(sum, LLVMConstInt(type, n, 0));
    uint64_t result = LLVMConstIntGetZExtValue(sum);
    LLVMContextDispose(context);
    return result;
}
